# shellcheck shell=bash
# What the scripts of ci/ share: where things are, messages, becoming root, a private apt.
# Sourced, never run; it starts no program by itself.

itr_top=${BASH_SOURCE[0]%/*}
[[ $itr_top == "${BASH_SOURCE[0]}" ]] && itr_top=.
itr_top=$(cd "$itr_top/.." && pwd -P)
itr_build=${INITRACE_BUILD_DIR:-$itr_top/build}
[[ $itr_build == /* ]] || itr_build=$PWD/$itr_build
itr_script=${0##*/}

# say TEXT…: a message for people, on stderr.
say() {
    printf '%s: %s\n' "$itr_script" "$*" >&2
}

# die TEXT…: one line that says what failed, where, and what helps; then exit 1.
die() {
    say "error: $*"
    exit 1
}

# as_root COMMAND…: runs it as root, through sudo where we are not.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "'$1' needs root and there is no sudo: run this script as root"
    fi
}

# need PROGRAM HINT: dies when PROGRAM is not in PATH.
need() {
    command -v "$1" >/dev/null || die "'$1' not found in PATH: $2"
}

# go_version_of GO: the version of that go program, such as 1.22.12; empty when it does not run.
go_version_of() {
    local words
    read -ra words < <(GOTOOLCHAIN=local "$1" version 2>/dev/null) || true
    printf '%s' "${words[2]#go}"
}

# version_at_least HAVE WANTED: compares numbers separated by dots.
version_at_least() {
    [[ -n $1 ]] && [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# os_release KEY: a value of the system's os-release file, empty when it is not there.
os_release() {
    (
        # shellcheck disable=SC1091
        . /etc/os-release 2>/dev/null || true
        printf '%s' "${!1-}"
    )
}

# Private apt -----------------------------------------------------------------------------------
# Lists, cache and state live in a folder of ours; the system's own are read only for settings such
# as a proxy. No hook of the system runs, and no root is needed.

# apt_private_init FOLDER: makes the folder's configuration. Sources go into FOLDER/sources.list.
apt_private_init() {
    local dir=$1
    need apt-get "this script works on Debian, Ubuntu and their like"
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/none"
    : >"$dir/status"
    {
        printf 'Dir::State "%s/state";\nDir::State::status "%s/status";\n' "$dir" "$dir"
        printf 'Dir::Cache "%s/cache";\nDir::Log "%s/none";\n' "$dir" "$dir"
        printf 'Dir::Etc::sourcelist "%s/sources.list";\nDir::Etc::sourceparts "%s/none";\n' "$dir" "$dir"
        printf 'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "%s/none";\n' "$dir"
        printf 'Dir::Etc::main "/dev/null";\nDir::Etc::parts "%s/none";\n' "$dir"
        printf 'APT::Sandbox::User "%s";\nAcquire::Languages "none";\nAcquire::Retries "3";\n' "$(id -un)"
        apt-config dump | grep -E '^Acquire::(https?|ftp|Check-|ForceIPv)' || true
    } >"$dir/apt.conf"
}

# apt_private FOLDER apt-TOOL ARG…
apt_private() {
    local dir=$1
    shift
    APT_CONFIG=$dir/apt.conf LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

# apt_mirror SUITE…: the address from which this system's apt takes the first of these suites that
# it has, found in its sources, of whichever format; empty when there is none. A mirror that also
# carries SUITE-updates is the distribution's own and comes before others with a suite of that name.
apt_mirror() {
    local scratch uris suite found
    scratch=$(mktemp -d)
    mkdir -p "$scratch/lists/partial"
    uris=$(apt-get -o Dir::State="$scratch" update --print-uris 2>/dev/null |
        sed -n "s|^'\([^']*\)/dists/\([^']*\)/InRelease'.*|\1 \2|p")
    rm -rf "$scratch"
    for suite in "$@"; do
        found=$(awk -v s="$suite" '
            $2 == s { n++; at[n] = $1 }
            $2 == s "-updates" { own[$1] = 1 }
            END {
                for (i = 1; i <= n; i++) if (at[i] in own) { print at[i]; exit }
                if (n) print at[1]
            }' <<<"$uris")
        if [[ -n $found ]]; then
            printf '%s' "$found"
            return
        fi
    done
}
