@0xa8070c88f6e49416;
# Why an object refused a call: the results of a completion whose flags say
# RING_EXCEPTION. The completion's status is the kind; this is for people.

struct Exception {
  reason @0 :Text;
}
