@0xa444b4a9511f6967;
# Processor time. Times are nanoseconds; priorities go from 0, the lowest, to 63; a
# thread nobody has said anything about has 31.

using Any = import "any.capnp";
using Process = import "process.capnp";

struct Scheduling {
  const processor :UInt32 = 1000000;
  # Shares are counted in millionths of one processor.
  const noLimit :UInt32 = 0xffffffff;
  # As a share: nothing is counted.

  const infinite :UInt64 = 0xffffffffffffffff;
  # As a budget: it does not run out; equals in priority take turns.
  const never :UInt64 = 0xffffffffffffffff;
  # As a time.
}

interface SchedulingControl {
  # The right to hand out processor time, up to a priority and a share.

  create @0 (budgetNs :UInt64, periodNs :UInt64, priority :UInt32)
      -> (context :SchedulingContext);
  # A context, charged to the caller's ledger. `budgetNs` in every `periodNs`: 20 us
  # at least, the period at most, and that at most an hour. Period 0: the budget is
  # there once (or infinite), until the context is configured again. It takes
  # budget / period of the share, rounded up, a whole processor with period 0.
  # INVALID: such a budget or priority there is not. DENIED: the priority is above
  # this control's. BUDGET: the share has not that much left.

  child @1 (maxPriority :UInt32, share :UInt32) -> (control :SchedulingControl);
  # A narrower control. What it may give out is taken from this one's share until
  # the child and all contexts made with it are gone. INVALID, DENIED, BUDGET as for
  # create; share 0 is INVALID.

  info @2 () -> (maxPriority :UInt32, share :UInt32, used :UInt32);
  # `used`: taken by contexts and children.
}

interface SchedulingContext {
  # Time that a thread can run on. Who holds this decides about the time, within
  # what the control allows that it was made with; a thread that runs on it needs
  # no capability.

  configure @0 (budgetNs :UInt64, periodNs :UInt64, priority :UInt32) -> ();
  # As for create. With the same period, what has been used stays used. With
  # another, nothing is left until the old budget would be whole again. With period
  # 0 it is whole at once. Share that this frees comes back when what was used with
  # it is no longer counted; so does that of a context that is released.

  bind @1 (thread :Process.Thread) -> ();
  # The thread runs on it from now on, instead of what it was born with, until
  # unbind or its end; releasing the context changes nothing. BUSY: the context or
  # the thread is bound already. GONE: the thread has ended.

  unbind @2 () -> ();
  # Its thread is passive: it runs on what its callers lend it, or waits until a
  # context is bound to it. NOT_FOUND: no thread is bound.

  query @3 () -> (consumedNs :UInt64, remainingNs :UInt64, exhausted :UInt64,
                  nextNs :UInt64, budgetNs :UInt64, periodNs :UInt64,
                  priority :UInt32, bound :Bool);
  # `consumedNs`: since it was made. `remainingNs`: what may be used now. `exhausted`:
  # how often the budget has run out. `nextNs`: when (Timer.now) there will be enough
  # to run; in the past if there is; `never` if only configure helps.

  notify @4 (signaller :Any.AnyCapability, bits :UInt64) -> ();
  # Sets those bits of a Notification, or by a Signaller, each time the budget runs
  # out; at once if it has and nothing has come back yet. A null capability: no
  # more. One at a time: the last call counts. NO_CAP: it is neither. INVALID: no
  # bits. Bound to the ring of a thread that waits for a call, which lends its server
  # this context, it also ends that wait. (With period 0 the wait ends anyhow: BUDGET.)
}
