@0xe32685840bb3e0ce;
# Physical memory: a pool to take from, and the objects that hold frames.
# A page is 4096 bytes.

interface MemoryPool {
  # Memory, charged to the ledger of whoever calls.

  allocate @0 (pages :UInt64) -> (object :MemoryObject);
  # Zeroed. The frames are found at first use; the ledger is charged now.

  available @1 () -> (pages :UInt64, limit :UInt64);
  # What the ledger still allows, and what it allowed at first.
}

interface MemoryObject {
  size @0 () -> (pages :UInt64);

  read @1 (offset :UInt64, count :UInt32) -> (data :Data);
  write @2 (offset :UInt64, data :Data) -> ();
  # Bytes. Short of the end they are refused, not cut.

  child @3 (page :UInt64, pages :UInt64) -> (object :MemoryObject);
  # A copy-on-write child: what the range holds now. Later writes on either
  # side stay on that side.

  readOnly @4 () -> (object :ReadOnlyMemory);

  slice @5 (page :UInt64, pages :UInt64) -> (object :MemoryObject);
  # The same frames, but only those of the range, as pages 0 and on. What is
  # written through either shows in both. INVALID: not a range of this object.
  # The object lives as long as any slice of it.

  share @6 (page :UInt64, pages :UInt64) -> (buffer :SharedBuffer);
  # The range as a SharedBuffer, of 65,536 pages at most. Its frames are found
  # now, so that using it does not run out of memory.
}

interface ReadOnlyMemory {
  # The same frames through a narrower interface: it cannot be mapped writable.
  size @0 () -> (pages :UInt64);
  read @1 (offset :UInt64, count :UInt32) -> (data :Data);
}

interface SharedBuffer {
  # A range of a MemoryObject for data that two parties pass to and fro: each
  # reads and writes it, or maps it (AddressSpace.map: shared, never private or
  # executable: DENIED). Who holds it can make nothing else of it: no child, which
  # would make the other's writes go to copies, and no narrower object.
  size @0 () -> (pages :UInt64);
  read @1 (offset :UInt64, count :UInt32) -> (data :Data);
  write @2 (offset :UInt64, data :Data) -> ();
}
