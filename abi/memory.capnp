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
}

interface ReadOnlyMemory {
  # The same frames through a narrower interface: it cannot be mapped writable.
  size @0 () -> (pages :UInt64);
  read @1 (offset :UInt64, count :UInt32) -> (data :Data);
}
