@0xa1c8e3f7d4b25960;
# libOS linux whose program holds two of the capabilities that its libOS was granted.

using Base = import "/sys/linux.capnp";

const system :import "/abi/manifest.capnp".Manifest = (
  name = "grants",
  libos = Base.libos,
  program = (
    path = "/grants",
    arguments = ["grants"],
    environment = Base.environment,
    plainConsole = true,
    grants = [
      (name = "clock", source = "timer"),
      (name = "chance", source = "entropy"),
    ],
  ),
);
