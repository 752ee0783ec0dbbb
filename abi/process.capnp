@0xa65ce903818ee6fc;
# Processes and threads.

using Any = import "any.capnp";

interface Process {
  # All power over a process.

  info @0 () -> (pid :UInt32, libos :Text, threads :UInt32);
  # `libos`: empty once it has ended.

  kill @1 (code :Int32) -> ();
  # Ends every thread of it.

  wait @2 () -> (code :Int32, reason :UInt32);
  # Answers when its last thread has ended, or when it has moved to another
  # libOS (EndReason). BUSY: 1,024 wait.

  fault @3 () -> (vector :UInt32, error :UInt32, address :UInt64, instruction :UInt64);
  # Of a process that ended by a fault (reason = faulted); else NOT_FOUND.

  grant @4 (name :Text, object :Any.AnyCapability) -> ();
  # Copies a capability of the caller into the program's domain, by that name in
  # its CapSet. A native program's only before its first thread starts: DENIED
  # after that; under a module at any time, and the domain is made if need be.
  # EXISTS: the name is taken. NO_SLOT: the CapSet is full (63).
  # INVALID: a name of 40 bytes and more. GONE: it has ended.
  #
  # Without a name `object` is a Process (else INVALID), and this one inherits: what
  # that one's CapSet names is copied, but for what its program has let go of, what was
  # taken back, and names that are taken here. Refused half-way, the half stays.

  thread @5 (start :ThreadStart) -> (thread :Thread);
  # One more thread, not started yet. DENIED under a module, whose threads its
  # libOS makes (Libos.thread).

  handle @6 () -> (handle :ProcessHandle);
  # A facet that watches and ends it, and can put nothing into it.
}

interface ProcessHandle {
  # The first four of Process.
  info @0 () -> (pid :UInt32, libos :Text, threads :UInt32);
  kill @1 (code :Int32) -> ();
  wait @2 () -> (code :Int32, reason :UInt32);
  fault @3 () -> (vector :UInt32, error :UInt32, address :UInt64, instruction :UInt64);
}

struct EndReason {
  const exited :UInt32 = 0;
  const killed :UInt32 = 1;
  const faulted :UInt32 = 2;
  const moved :UInt32 = 3;
  # To another libOS. It goes on there, under the same PID.
  const ledgerEnded :UInt32 = 4;
  # Ledger.end: whoever paid for it, or for its libOS, ended all that lived on that.
}

interface Thread {
  start @0 () -> ();
  # BUSY: it was started before. GONE: it has ended (so of every method). BUDGET: it has
  # no time of its own, and none was bound to it (SchedulingControl): it would never run.

  interrupt @1 () -> ();
  # Under a module: as soon as the thread runs ring-3 code, the module's trap
  # entry is entered with vector 0x100. Ends a wait with INTERRUPTED.

  kill @2 (code :Int32) -> ();

  setTls @3 (fsBase :UInt64, gsBase :UInt64) -> ();
  # The bases of FS and GS. INVALID: an address that is no program's (nor, under
  # a module, its region's). BUSY: another thread, and it may be running: suspend
  # it first.

  suspend @4 () -> ();
  # It does not run until resume; what it waits for may come meanwhile. The
  # caller itself stops when the call's completion is there. Once it is answered,
  # info says `running` until the thread has left its CPU.

  resume @5 () -> ();
  # Suspensions do not count: one resume ends any number.

  info @6 () -> (state :UInt32, suspended :Bool);
}

struct ThreadState {
  const fresh :UInt32 = 0;      # not started
  const ready :UInt32 = 1;
  const running :UInt32 = 2;
  const waiting :UInt32 = 3;    # in cap_enter
  const suspended :UInt32 = 4;
  const ended :UInt32 = 5;
}

interface ThreadControl {
  # The thread that calls, whichever it is; no other can be named through it.
  # Every program has it: `thread` in its CapSet.

  setTls @0 (fsBase :UInt64, gsBase :UInt64) -> ();
  info @1 () -> (state :UInt32, suspended :Bool);

  thread @2 () -> (thread :Thread);
  # A capability to the calling thread, for others to stop or end it by. DENIED to
  # a program under a module: the thread may be in the module, with its locks.

  poll @3 (everyNs :UInt64) -> ();
  # While the thread runs, the exokernel looks at the ring that this call came by about
  # every `everyNs` and serves what it finds there, without cap_enter, on the thread's
  # scheduling context. It stops (RING_ASLEEP in the ring's `flags`) when it has found
  # nothing 64 times in a row, when the thread waits, or when its time is used up; the
  # next cap_enter makes it go on. 0: no more. INVALID: neither that nor 20 us to 1 s.
  # One ring at a time: the last call counts.
}

struct ThreadStart {
  # Where a new thread begins.
  entry @0 :UInt64;      # in the module region under a module, else in the program
  stack @1 :UInt64;
  argument @2 :UInt64;   # arrives in rdi
  moduleStack @3 :UInt64; # under a module: top of the stack that system calls
                          # and traps of the program are entered on; a
                          # multiple of 64
  ring @4 :UInt64;       # where the thread's ring appears: a free page of the
                         # module region under a module; else 0: the exokernel
                         # chooses
  fsBase @5 :UInt64;     # as setTls has it
}
