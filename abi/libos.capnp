@0xcf85467f5ec15c1b;
# Library OSes: the table of them, and the making of processes under one.

using Memory = import "memory.capnp";
using Space = import "space.capnp";
using Process = import "process.capnp";

using AnyCapability = import "any.capnp".AnyCapability;

interface LibosTable {
  load @0 (id :Text, image :Memory.MemoryObject, size :UInt64, pages :UInt64,
           timeoutNs :UInt64, isolated :Bool) -> (libos :Libos);
  # Registers a libOS. `image`: its module, an ELF of `size` bytes; null: an
  # empty module. `pages`: its ledger's limit, taken from the caller's. Without
  # a process after `timeoutNs` it is unloaded. `isolated`: it gets a process
  # table of its own, else it shares the real one. EXISTS if the id is taken.

  list @1 () -> (entries :List(LibosEntry));
}

struct LibosEntry {
  id @0 :Text;
  processes @1 :UInt32;
  capabilities @2 :UInt32;
  moduleBytes @3 :UInt64;
  isolated @4 :Bool;
}

interface Libos {
  grant @0 (name :Text, object :AnyCapability) -> ();
  # Copies a capability of the caller into the libOS's domain, by that name in
  # its CapSet. Before its first process only.

  become @1 (argument :UInt64) -> ();
  # The caller's process goes on as a process of this libOS, with the same PID:
  # its address space and its capabilities go; its one thread starts at the
  # module's first entry. The libOS it leaves is dropped if it was the last.

  space @2 () -> (space :Space.AddressSpace);
  # The module region, shared by all processes of the libOS.

  spawn @3 (start :Process.ThreadStart, pid :UInt32)
      -> (process :Process.Process, space :Space.AddressSpace,
          thread :Process.Thread, pid :UInt32);
  # A process with an empty address space and one thread, not started yet.
  # `pid`: 0 for any. Under an isolated libOS the first must be 1.

  thread @4 (process :Process.Process, start :Process.ThreadStart)
      -> (thread :Process.Thread);
  # One more thread in a process of this libOS, not started yet.
}
