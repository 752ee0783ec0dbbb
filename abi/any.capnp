@0xd3a1f0c24be7c859;
# What every schema may need.

interface AnyCapability @0xfafbd0774d12b957 {}
# Stands for a capability of any interface.
