@0x8f2a7b947565f790;
# What the exokernel writes while it is traced: a stream of messages with standard
# framing, so that
#     capnp decode abi/trace.capnp TraceEvent < FILE
# reads it. doc/spec/trace.md tells how it is made and what it is good for.
#
# Times are nanoseconds since the exokernel's first instruction.

struct TraceEvent {
  sequence @0 :UInt64;  # of events, from 0, without gaps
  time @1 :UInt64;
  libos @2 :Text;       # of the process; PIDs are unique among those that share a table
  pid @3 :UInt32;
  thread @4 :UInt32;    # in its process, from 1

  union {
    completion @5 :Completion;
    # A completion was posted.

    accepted @6 :Entry;
    # An entry was consumed that has no completion yet: it comes later (then with the
    # same number), or never: the call ends its caller, or its caller ends.

    enter @7 :Enter;
    # The thread called cap_enter. Entries consumed and completions posted up to its
    # next `enter` belong to this one.

    woken @8 :Status;
    # A wait in cap_enter ended otherwise than by completions: with this status.

    start @9 :Start;
    # The thread begins.

    end @10 :End;
    # The thread has ended.
  }

  struct Entry {
    number @0 :UInt32;   # on its ring, from 0: counts entries, and wraps
    ring @1 :Ring;
    op @2 :Op;
    method @3 :UInt16;   # RETURN, SERVE: the status
    cap @4 :UInt32;
    userData @5 :UInt64;
    interface @6 :UInt64; # RETURN, SERVE: the token; CANCEL, POST: the target
    type @7 :Text;       # what kind of object `cap` named; empty: none
    object @8 :UInt64;   # tells objects apart while they live; 0: none
    params @9 :Data;     # CALL, RETURN, SERVE: the whole message; empty if it could
                         # not be read
    paramsSize @10 :UInt32; # what the entry said
    resultsRoom @11 :UInt32; # PARK: the value expected; WAKE: how many
    paramsAddress @12 :UInt64; # PARK, WAKE: the word
    resultsAddress @13 :UInt64; # PARK: the timeout
    caps @14 :List(UInt32); # ids that travel
    moved @15 :UInt8;    # bit i: caps[i] was moved
    chained @16 :Bool;
  }

  struct Completion {
    entry @0 :Entry;     # posted: of no entry, only userData counts. If `later`,
                         # without what `accepted` has told: params, sizes,
                         # addresses, caps (but a chained call's params are here)
    later @1 :Bool;      # it was accepted before, with that number
    status @2 :Status;
    exception @3 :Bool;  # the results are an Exception (abi/exception.capnp)
    posted @4 :Bool;
    resultsSize @5 :UInt32; # WAKE: how many were woken
    results @6 :Data;    # what was written to the results buffer
    caps @7 :List(UInt32); # ids that came, by index; 0: none
    duration @8 :UInt64; # since the entry was consumed
  }

  struct Enter {
    ring @0 :Ring;
    least @1 :UInt64;
    timeout @2 :UInt64;
    consumed @3 :UInt32; # the thread's cq_head: completions it has consumed
  }

  struct Start {
    entry @0 :UInt64;
    stack @1 :UInt64;
    argument @2 :UInt64;
    ring @3 :UInt64;     # its address
    # The rest of the first thread of a native program only:
    capset @4 :Data;     # the page (abi/capset.h), up to the last entry
    space @5 :UInt64;    # the process's own address space, as Entry.object has it
    image @6 :Image;
  }

  struct Image {
    # The executable pages around the entry: which program it is.
    address @0 :UInt64;
    pages @1 :UInt32;
    checksum @2 :UInt64; # core/checksum.h
  }

  struct End {
    code @0 :Int32;
    reason @1 :UInt32;   # EndReason of abi/process.capnp
    instruction @2 :UInt64; # faulted: where
  }

  enum Ring { program @0; module @1; }

  # abi/ring.h, enum ring_op
  enum Op {
    nop @0; call @1; release @2; park @3; wake @4; recv @5; return @6; serve @7;
    cancel @8; post @9;
  }

  # abi/status.h
  enum Status {
    ok @0; invalid @1; noCap @2; noMethod @3; noMemory @4; noSlot @5; exists @6;
    notFound @7; denied @8; busy @9; timeout @10; fault @11; tooSmall @12; gone @13;
    badMessage @14; interrupted @15; again @16; cancelled @17; budget @18;
  }
}
