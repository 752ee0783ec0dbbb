@0xe2f3352ba0cbaccf;
# The account that memory and objects are charged to. What is made through a
# Ledger is charged to it: a client pays for what a server must keep for it by
# sending a Ledger along: a `spender` of it, if whoever gets it is not to end what
# lives there.
#
# Small objects stand in pages of 4096 bytes that hold no other ledger's: the
# first costs a page, the next ones nothing until that is full. An object is there
# until the last capability to it goes, and so is what it cost.

using Libos = import "libos.capnp";
using Memory = import "memory.capnp";
using Endpoint = import "endpoint.capnp";
using Notification = import "notification.capnp";
using Revoker = import "revoker.capnp";

interface Ledger {
  query @0 () -> (limit :UInt64, used :UInt64, peak :UInt64);
  # Bytes. Limits given to children count as used.

  child @1 (bytes :UInt64) -> (ledger :Ledger);
  # A ledger with `bytes` of this one's. It costs this one a price beside them: a
  # share of 1/61440 of the machine's memory, and its record. When its last
  # capability goes, what it has not spent comes back at once and the rest, with
  # the price, as it is freed. NO_MEMORY: too much, or 32 ledgers deep already.

  donate @2 (to :Ledger, bytes :UInt64) -> ();
  # Moves unused limit to another ledger. NO_MEMORY: there is not that much.
  # GONE: that ledger is closed (its domain has ended).

  reclaim @3 (child :Ledger, bytes :UInt64) -> (bytes :UInt64);
  # Takes back up to that much unused limit of a child of this ledger.
  # DENIED: it is no child of this one.

  memory @4 () -> (pool :Memory.MemoryPool);
  # A pool that charges this ledger, whoever calls it.

  endpoint @5 () -> (endpoint :Endpoint.Endpoint);
  notification @6 () -> (notification :Notification.Notification);
  revoker @7 () -> (revoker :Revoker.Revoker);
  parkSpace @8 () -> (space :ParkSpace);

  spender @9 () -> (ledger :Ledger);
  # This ledger for somebody who is to spend from it, and not to end it. Charged to it.

  end @10 () -> (more :Bool);
  # Ends what lives on this ledger or on one below it, whoever holds it: every process
  # that is charged there, started or not (EndReason.ledgerEnded), and every libOS that
  # was loaded with it, with all its processes. From the first call on these ledgers
  # are closed: nothing more can be charged, what they have left is the parent's, and
  # so is what is freed. What others still hold or map stays charged until they let
  # go. A call ends 16 processes at most: `more` says that it is to be called again.
  # The caller, if it lives there, is the last to end, and gets no answer. All of it
  # may take a moment to be gone (Process.wait tells). Called again when all is done,
  # it does nothing.
  # DENIED: this is no ledger that `child` gave, but a domain's own, or a spender.
}

interface ParkSpace {
  # For PARK and WAKE (abi/ring.h): only entries that name the same ParkSpace meet,
  # even at a word that others can read too. It has no methods.
}
