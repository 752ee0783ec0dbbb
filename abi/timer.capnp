@0xbd2f2af8399692d5;
# Time. Nanoseconds everywhere.

interface Timer {
  now @0 () -> (monotonic :UInt64, realtimeOffset :UInt64);
  # Since boot, and what to add for nanoseconds since 1970-01-01 UTC.

  sleep @1 (until :UInt64) -> ();
  # Answers when `until` (monotonic) has come.

  scale @2 () -> (multiplier :UInt64, shift :UInt32, base :UInt64);
  # monotonic = (tsc - base) * multiplier >> shift, for reading the clock
  # without a call.
}
