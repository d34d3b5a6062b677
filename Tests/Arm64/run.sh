#!/usr/bin/env bash
# check-arm64: the byte kernels' NEON and PMULL forms, compiled for arm64 and run under qemu-user
. "$(dirname "$0")/../lib.sh"
install_packages gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
# Clang's words for pointers mean nothing to gcc.
flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-function -D_Nonnull= -D_Nullable=
  -ISources/CEpoll/include)
sources=(Tests/Arm64/kernels.c Sources/CEpoll/Kernels/*.c)
# The same test on this processor first: what it finds here is no matter of arm64.
gcc "${flags[@]}" -fsanitize=address,undefined "${sources[@]}" -o "$build/here"
"$build/here"
aarch64-linux-gnu-gcc "${flags[@]}" -static "${sources[@]}" -o "$build/arm64"
timeout -k 10 300 qemu-aarch64 -cpu max "$build/arm64"
