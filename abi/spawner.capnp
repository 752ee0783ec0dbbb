@0xc0d4e1f2a93b5768;
# Making native processes: programs without a module between them and the
# exokernel.

using Ledger = import "ledger.capnp";
using Process = import "process.capnp";
using Space = import "space.capnp";

interface ProcessSpawner {
  create @0 (start :Process.ThreadStart, bytes :UInt64, pid :UInt32, ledger :Ledger.Ledger)
      -> (process :Process.Process, space :Space.AddressSpace, thread :Process.Thread,
          pid :UInt32);
  # A process under the caller's libOS, which must have an empty module (else
  # DENIED): with an empty address space, a domain of its own that holds ThreadControl
  # and an Inspector,
  # a ledger of `bytes` that pays for all of it, and one thread, not started yet.
  # The bytes come from `ledger`, or, without one, from the caller's own; they
  # are back when all of it is gone.
  #
  # `pid`: 0 for any. EXISTS: it is taken. In an isolated libOS the first is 1
  # (INVALID). NO_MEMORY: `bytes` are not there, or too few for a process.
  # NO_SLOT: the libOS has all the processes it may have.
  #
  # A process that has not been started when its maker ends, ends with it; or
  # when the last capability to its thread goes.
}
