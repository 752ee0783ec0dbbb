@0xa65ce903818ee6fc;
# Processes and threads.

using Space = import "space.capnp";

interface Process {
  info @0 () -> (pid :UInt32, libos :Text, threads :UInt32);
  kill @1 (code :Int32) -> ();
  # Ends every thread of it.
  wait @2 () -> (code :Int32, reason :UInt32);
  # Answers when its last thread has ended.
  fault @3 () -> (vector :UInt32, error :UInt32, address :UInt64, instruction :UInt64);
  # Of a process that ended by a fault (reason = faulted).
}

struct EndReason {
  const exited :UInt32 = 0;
  const killed :UInt32 = 1;
  const faulted :UInt32 = 2;
}

interface Thread {
  start @0 () -> ();
  interrupt @1 () -> ();
  # Under a module: as soon as the thread runs ring-3 code, the module's trap
  # entry is entered with vector 0x100. Ends a wait with INTERRUPTED.
  kill @2 (code :Int32) -> ();
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
}
