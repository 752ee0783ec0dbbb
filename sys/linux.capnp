@0xa47aba04d9bf2d83;
# The system that `make run` boots: libOS `linux` with all of the machine, and
# Debian's busybox as PID 1.

using Manifest = import "/abi/manifest.capnp".Manifest;

const name :Text = "linux";

const libos :Manifest.Libos = (
  id = "linux",
  module = "/boot/linux.mod",
  memoryPages = 0,
  grants = [
    (name = "console", source = "console"),
    (name = "timer", source = "timer"),
    (name = "memory", source = "memory"),
    (name = "power", source = "power"),
    (name = "entropy", source = "entropy"),
  ],
);

const environment :List(Text) = [
  "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "TERM=linux",
];

const system :Manifest = (
  name = .name,
  libos = .libos,
  program = (
    path = "/bin/busybox",
    arguments = ["-sh"],
    environment = .environment,
  ),
);
