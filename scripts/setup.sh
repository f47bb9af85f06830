#!/usr/bin/env bash
# Installs what building, testing or measuring Portcullis needs and is missing. Says what it does.
#
#   scripts/setup.sh build    a C compiler, make, perl and cmake: OpenSSL and zlib are built from source
#   scripts/setup.sh test     build, and the openssl command
#   scripts/setup.sh e2e      test, and nginx, curl
#   scripts/setup.sh bench    e2e, and h2load, python3
#
# On Debian and its kin it installs packages, as root or by sudo. Elsewhere it says what is missing.
set -euo pipefail

level=${1:-build}
missing=()

# need PACKAGE COMMAND...: PACKAGE is missing unless COMMAND succeeds.
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

rust() {
    if ! command -v cargo >/dev/null; then
        echo "setup: no cargo: install Rust from https://rustup.rs, then run this again" >&2
        exit 1
    fi
}

build() {
    need gcc command -v cc
    need g++ command -v c++
    need make command -v make
    need cmake command -v cmake
    # OpenSSL's Configure wants more than perl-base.
    need perl perl -MIPC::Cmd -MFindBin -MTime::Piece -e 1
}

tests() {
    build
    need openssl command -v openssl
}

e2e() {
    tests
    need curl command -v curl
    need nginx sh -c 'command -v nginx || test -x /usr/sbin/nginx'
}

bench() {
    e2e
    need nghttp2-client command -v h2load
    need python3 command -v python3
}

rust
case $level in
    build) build ;;
    test) tests ;;
    e2e) e2e ;;
    bench) bench ;;
    *)
        echo "setup: unknown level \`$level\`: build, test, e2e or bench" >&2
        exit 64
        ;;
esac

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "setup: missing (by their Debian names): ${missing[*]}" >&2
    echo "setup: this is not a Debian system: install them with its package manager, then run this again" >&2
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: missing: ${missing[*]}; neither root nor sudo: run \`apt-get install ${missing[*]}\` as root" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
# A service that starts by itself would take ports: only the programs are wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
    "${as_root[@]}" chmod 755 $policy
    trap '"${as_root[@]}" rm -f $policy' EXIT
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
