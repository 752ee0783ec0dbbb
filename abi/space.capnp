@0xb165ab80b91e4f1e;
# An address space, or the module region of a libOS: what is mapped where.
# Addresses and sizes are whole pages.

using Memory = import "memory.capnp";

struct Access {
  const read :UInt32 = 1;
  const write :UInt32 = 2;
  const execute :UInt32 = 4;
  const private :UInt32 = 8;
  # private: writes go to a copy of the page (copy-on-write), made by resolve.
  # Without read, write and execute a page of a program is kept but hidden from
  # it; its module still reaches it.
}

interface AddressSpace {
  map @0 (object :Memory.MemoryObject, page :UInt64, address :UInt64,
          pages :UInt64, access :UInt32) -> ();
  # Shows `pages` pages of the object, from its page `page` on. What stood in
  # the range goes. Takes a MemoryObject or a ReadOnlyMemory.

  fresh @1 (address :UInt64, pages :UInt64, access :UInt32) -> ();
  # Zeroed private memory that belongs to no object, where nothing is mapped
  # yet; pages already there stay. Charged to this space's ledger.

  unmap @2 (address :UInt64, pages :UInt64) -> ();
  protect @3 (address :UInt64, pages :UInt64, access :UInt32) -> ();
  # Of what is mapped there; holes are passed over. Write on a shared private
  # page comes with the next resolve.

  share @4 (source :AddressSpace, address :UInt64, pages :UInt64) -> ();
  # Shows the source's range at the same addresses here. Writable private pages
  # become copy-on-write on both sides; shared ones stay shared.

  resolve @5 (address :UInt64) -> ();
  # Makes a copy-on-write page writable, copying it if others hold it.
  # NOT_FOUND where nothing is mapped, DENIED where it is read-only for good.

  query @6 (address :UInt64) -> (access :UInt32, mapped :Bool);
}
