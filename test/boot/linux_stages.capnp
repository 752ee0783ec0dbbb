@0xd9e24c0a6b1f3587;
# libOS linux whose program may leave it: the initial init system is
# native/linux_stages.c, and what runs is the script that a case adds.

using Base = import "/sys/linux.capnp";
using Grant = import "/abi/manifest.capnp".Manifest.Grant;

const leaving :List(Grant) = [
  (name = "target0", source = "target0"),
  (name = "target1", source = "target1"),
  (name = "target2", source = "target2"),
  (name = "target3", source = "target3"),
  (name = "target4", source = "target4"),
  (name = "target5", source = "target5"),
  (name = "bundle", source = "bundle"),
  (name = "board", source = "board"),
  (name = "endpoint", source = "endpoint"),
  (name = "facet", source = "facet"),
];

const system :import "/abi/manifest.capnp".Manifest = (
  name = "linux-stages",
  libos = (
    id = "linux",
    module = "/boot/linux.mod",
    grants = [
      (name = "console", source = "console"),
      (name = "timer", source = "timer"),
      (name = "memory", source = "memory"),
      (name = "power", source = "power"),
      (name = "entropy", source = "entropy"),
      (name = "target0", source = "target0"),
      (name = "target1", source = "target1"),
      (name = "target2", source = "target2"),
      (name = "target3", source = "target3"),
      (name = "target4", source = "target4"),
      (name = "target5", source = "target5"),
      (name = "bundle", source = "bundle"),
      (name = "board", source = "board"),
      (name = "endpoint", source = "endpoint"),
      (name = "facet", source = "facet"),
    ],
  ),
  program = (
    path = "/bin/busybox",
    arguments = ["sh", "/script"],
    environment = Base.environment,
    plainConsole = true,
    grants = .leaving,
  ),
);
