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
  # unmap, protect and share deal with about 65,536 pages in a call. If there is
  # more in the range, `next` is the address to go on at, else 0. (A range of at
  # most 65,536 pages is always done at once.)

  map @0 (object :Memory.MemoryObject, page :UInt64, address :UInt64,
          pages :UInt64, access :UInt32) -> ();
  # Shows `pages` pages of the object, from its page `page` on, 65,536 at most.
  # What stood in the range goes. Takes a MemoryObject, a ReadOnlyMemory (not
  # writable but private: DENIED) or a SharedBuffer (not private, not
  # executable: DENIED).
  # Through a lease: revoking it unmaps what still shows the object; pages that
  # resolve has copied stay. NO_SLOT: a space has at most 63 mappings through
  # leases, a revoker 1,024 of 65,536 pages in all.

  fresh @1 (address :UInt64, pages :UInt64, access :UInt32) -> ();
  # Zeroed private memory that belongs to no object, where nothing is mapped
  # yet; pages already there stay. Charged to this space's ledger. 65,536 pages
  # at most.

  unmap @2 (address :UInt64, pages :UInt64) -> (next :UInt64);
  protect @3 (address :UInt64, pages :UInt64, access :UInt32) -> (next :UInt64);
  # Of what is mapped there; holes are passed over. Write on a shared private
  # page comes with the next resolve.

  share @4 (source :AddressSpace, address :UInt64, pages :UInt64) -> (next :UInt64);
  # Shows the source's range at the same addresses here. Writable private pages
  # become copy-on-write on both sides; shared ones stay shared. What the source
  # shows through a lease ends with the lease here too. DENIED where `source` is
  # itself a lease: what was shown would outlive it.

  resolve @5 (address :UInt64) -> ();
  # Makes a copy-on-write page writable, copying it if others hold it.
  # NOT_FOUND where nothing is mapped; DENIED where the mapping, or protect
  # since, does not allow writing.

  query @6 (address :UInt64) -> (access :UInt32, mapped :Bool);

  reserve @7 (pages :UInt64) -> (address :UInt64);
  # Sets aside a range where nothing is mapped and nothing is reserved, for maps
  # and commits to come; the exokernel chooses it. It costs 64 bytes, not pages,
  # and keeps off other reserve calls only: whoever names an address in it may
  # map there. Not in a module region: INVALID. NO_SLOT: there are 256 already, or
  # no range is long enough.

  unreserve @8 (address :UInt64) -> ();
  # Ends the reservation that begins there; what is mapped stays. NOT_FOUND: none
  # does.

  commit @9 (address :UInt64, pages :UInt64, access :UInt32) -> ();
  # fresh, within one reservation. NOT_FOUND: the range is not.
}
