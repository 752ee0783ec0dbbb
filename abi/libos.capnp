@0xcf85467f5ec15c1b;
# Library OSes: the table of them, and the making of processes under one.

using Ledger = import "ledger.capnp";
using Memory = import "memory.capnp";
using Space = import "space.capnp";
using Process = import "process.capnp";
using AnyCapability = import "any.capnp".AnyCapability;

interface LibosTable {
  load @0 (id :Text, image :Memory.MemoryObject, size :UInt64, pages :UInt64,
           timeoutNs :UInt64, isolated :Bool, capabilities :List(NamedCapability),
           pids :UInt32, liboses :UInt32, ledger :Ledger.Ledger) -> (libos :Libos);
  # Registers a libOS. `image`: its module, an ELF of `size` bytes; null: an
  # empty module. `pages`: its ledger's limit, taken from `ledger` or, without
  # one, from the caller's own (0: all but a little). If none of its processes has started after `timeoutNs` (an
  # hour, if that is more) it is unloaded, and all of it comes back. `isolated`:
  # it gets a process table of its own, else it shares the real one.
  # `capabilities`: copied into its domain as by Libos.grant; as many as fit
  # beside a message.
  #
  # `pids`: how many processes of the real table it may have, taken from what
  # the libOS of the caller may have; 0: an eighth of that. `liboses`: how many
  # libOSes it may load itself, taken from the caller's libOS likewise, one more
  # than which this takes. All come back with its end.
  #
  # DENIED: the caller is isolated, and this would not be.
  # EXISTS: the id is taken, or one name is given twice. INVALID: an id that is
  # empty, longer than 31 or not of letters, digits and `-`. BAD_MESSAGE: no
  # module. NO_MEMORY: `pages` are not there, or too few. NO_SLOT: the caller's
  # libOS has not that many.

  list @1 () -> (entries :List(LibosEntry));
}

struct NamedCapability {
  name @0 :Text;
  object @1 :AnyCapability;
}

struct LibosEntry {
  id @0 :Text;
  processes @1 :UInt32;
  capabilities @2 :UInt32;
  moduleBytes @3 :UInt64;
  isolated @4 :Bool;
  pids @5 :UInt32;     # processes of the real table that it may still make
  liboses @6 :UInt32;  # libOSes that it may still load
}

interface Libos {
  # GONE, from every method: it has been unloaded or has ended.

  grant @0 (name :Text, object :AnyCapability) -> ();
  # Copies a capability of the caller into the libOS's domain, by that name in
  # its CapSet. Before its first process only: DENIED. EXISTS: the name is taken,
  # or is one that the exokernel gives itself. NO_SLOT, INVALID: as Process.grant.

  become @1 (argument :UInt64, pid :UInt32, program :Memory.MemoryObject, size :UInt64)
      -> ();
  # The caller's process goes on as a process of this libOS: the second stage.
  # What it was ends, with reason `moved`: its address space, its capabilities,
  # its one thread, and all that others hold of it. If it was the last to be
  # under the libOS it leaves, that is dropped. Under a module it ends by the module's
  # hand (abi/module.h, MODULE_VECTOR_LEFT), and has another PID until then.
  #
  # With a module: the thread starts at the module's first entry; `program` is
  # null. The libOS must not have had a process: DENIED. With an empty module:
  # `program` is an ELF of `size` bytes, copied into the new address space. The
  # first process of such a libOS has the libOS's domain for its own.
  #
  # `pid`: 0: the same, or any if this libOS has another process table. INVALID:
  # not 1 for the first of an isolated libOS; PID 1 of the real table leaves it;
  # the caller's own libOS. BUSY: the caller has other threads; under a module also:
  # its thread is not in the program (the entry was looked at or chained), is bound to a
  # context, or has moved before. BUDGET: its thread has no context of its own; one that it
  # is bound to goes along. EXISTS, NO_SLOT:
  # as spawn. Refused, the caller is as it was.

  space @2 () -> (space :Space.AddressSpace);
  # The module region, shared by all processes of the libOS. NOT_FOUND: an empty
  # module.

  spawn @3 (start :Process.ThreadStart, pid :UInt32)
      -> (process :Process.Process, space :Space.AddressSpace,
          thread :Process.Thread, pid :UInt32);
  # A process with an empty address space and one thread, not started yet.
  # `pid`: 0 for any. Under an isolated libOS the first must be 1. The first
  # process of a libOS with an empty module has the libOS's domain for its own.
  # EXISTS: that PID is taken. NO_SLOT: no PID is left to this libOS.

  thread @4 (process :Process.Process, start :Process.ThreadStart)
      -> (thread :Process.Thread);
  # One more thread in a process of this libOS, not started yet.
}
