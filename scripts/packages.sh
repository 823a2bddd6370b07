# shellcheck shell=bash
# Sourced by the scripts beside it: what they need from Debian or Ubuntu, and how it gets there.

# Package lists are "package file-or-command" pairs: a package counts as present when its witness
# is there, however it was installed. A witness is a command, or a file below an include path.
# shellcheck disable=SC2034  # used by the scripts that source this file
BUILD_PACKAGES=(
    "build-essential cc"
    "build-essential make"
    "cmake cmake"
    "ninja-build ninja"
    "pkg-config pkg-config"
    "libopenblas-dev openblas.pc"
    "liblapacke-dev lapacke.pc"
    "libyaml-dev yaml-0.1.pc"
    "libjansson-dev jansson.pc"
    "zlib1g-dev zlib.pc"
    "libcsv-dev csv.h"
    "librandom123-dev Random123/philox.h"
    "gnuplot-nox gnuplot"
)
# shellcheck disable=SC2034
TEST_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    "libcriterion-dev criterion/criterion.h"
    "clang clang"
    "libomp-dev libomp"
    "clang-format clang-format"
    "python3 python3"
    "shellcheck shellcheck"
)
# Opens reports. Ubuntu has it as a snap only; there the test is left out where no browser is found.
grep -qs '^ID=ubuntu$' /etc/os-release || TEST_PACKAGES+=("chromium chromium")
# shellcheck disable=SC2034
COVERAGE_PACKAGES=(
    "${BUILD_PACKAGES[@]}"
    "libcriterion-dev criterion/criterion.h"
    "python3 python3"
    "gcovr gcovr"
)

# say SENTENCE...: one line about what happens.
say() {
    printf '%s: %s\n' "${0##*/}" "$*"
}

# fail SENTENCE...: says why and ends the script.
fail() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Whether the witness of a package is there.
is_present() {
    local witness=$1
    case $witness in
    *.pc) pkg-config --exists "${witness%.pc}" 2>/dev/null ;;
    *.h) printf '#include <stddef.h>\n#include <stdio.h>\n#include <%s>\n' "$witness" |
        cc -fsyntax-only -x c - 2>/dev/null ;;
    libomp) printf 'int main(void){return 0;}\n' |
        clang -fopenmp -x c - -o /dev/null 2>/dev/null ;;
    *) command -v "$witness" >/dev/null ;;
    esac
}

# missing_packages PAIR...: the packages whose witness is not there, one a line.
missing_packages() {
    local pair
    for pair in "$@"; do
        is_present "${pair#* }" || printf '%s\n' "${pair% *}"
    done | sort -u
}

# install_packages PURPOSE PAIR...: installs what is missing; does nothing, and needs no network,
# when all is there.
install_packages() {
    local purpose=$1 missing as_root=()
    shift
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        return 0
    fi
    command -v apt-get >/dev/null ||
        fail "this system has no apt-get. Packages are installed on Debian and Ubuntu only;" \
            "elsewhere install what provides these Debian packages and start again: ${missing[*]}"
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "these packages are missing, and there is neither root nor sudo to install" \
                "them. As root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing what $purpose needs and this machine lacks: ${missing[*]}"
    # A stale list of packages is no reason to stop: the installation decides.
    "${as_root[@]}" apt-get update -q </dev/null ||
        say "the list of packages could not be renewed; going on with the one that is there"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null ||
        fail "apt-get could not install ${missing[*]}; its reason stands above." \
            "Install them by hand and start again"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) ||
        fail "these packages were installed, but what they should bring is not found: ${missing[*]}"
}

# NVIDIA's headers are all that the emulation of CUDA needs of it. Where no toolkit is installed they
# come from NVIDIA's packages on PyPI, in these versions.
CUDA_HEADER_PACKAGES=(
    nvidia-cuda-runtime==13.0.96
    nvidia-cuda-crt==13.0.88
    nvidia-cuda-cccl==13.0.85
    nvidia-cublas==13.1.0.3
    nvidia-cusolver==12.0.4.66
    nvidia-nvtx==13.0.85
)

have_cuda_headers() {
    local root
    for root in "${CUDA_HOME-}" "${CUDA_PATH-}" /usr/local/cuda /usr; do
        [[ -n $root && -f $root/include/cusolverDn.h ]] && return 0
    done
    return 1
}

# install_cuda_headers: makes sure that they are there; sets CUDA_HOME if it had to fetch them.
install_cuda_headers() {
    local folder=$PWD/build/cuda-headers
    [[ -f $folder/include/cusolverDn.h ]] && export CUDA_HOME=$folder
    have_cuda_headers && return 0
    install_packages "fetching NVIDIA's headers" "python3 python3" "python3-pip pip3"
    say "fetching NVIDIA's headers into build/cuda-headers (some 600 MB are loaded for them)"
    mkdir -p "$folder/wheels"
    python3 -m pip download -q --no-deps --only-binary=:all: -d "$folder/wheels" \
        "${CUDA_HEADER_PACKAGES[@]}" ||
        fail "NVIDIA's headers could not be fetched; install the CUDA toolkit, or name a folder" \
            "with include/cusolverDn.h in CUDA_HOME"
    python3 - "$folder" <<'PYTHON' || fail "NVIDIA's headers could not be unpacked"
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
for wheel in (folder / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/include/" in name and not name.endswith("/"):
                target = folder / "include" / name.split("/include/", 1)[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
PYTHON
    rm -r "$folder/wheels"
    export CUDA_HOME=$folder
}

# build PRESET [OPTION...]: configures with cmake's options and builds; the log is shown only when
# something is wrong.
build() {
    local preset=$1 log="build/$1.log"
    shift
    mkdir -p build
    say "building build/$preset (log: $log)"
    if ! cmake --preset "$preset" "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        fail "build/$preset cannot be configured; the reason stands above, all of it in $log"
    fi
    if ! cmake --build --preset "$preset" -j"$(nproc)" >>"$log" 2>&1; then
        tail -n 60 "$log" >&2
        fail "build/$preset does not build; the reason stands above, all of it in $log"
    fi
}
