# SPDX-License-Identifier: Apache-2.0
# hosts.sh - what the checks of this folder share; each sources it as `. hosts.sh DIR`.
#
#   $top      the source tree under test
#   $dir      the folder of the stage; check-readme fills it for the others:
#   $tree     a copy of the source tree, with README.md's build in build/
#   $root     what was installed from it, as DESTDIR
#   $readme   the README
set -u
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
dir=$(realpath "$1") || exit 1
tree=$dir/axl root=$dir/root readme=$top/README.md failed=0

# wrong WORDS…: a finding; the check goes on.
wrong() { echo "$*"; failed=1; }

# quietly COMMAND…: what it prints is shown where it fails.
quietly() {
    local log
    log=$(mktemp "$dir/log.XXXXXX")
    "$@" >"$log" 2>&1 && return
    tail -n 40 "$log"
    wrong "failed: $*"
    return 1
}

# readme_lines WORD…: the README's indented command lines that begin so.
readme_lines() { sed -n "s/^    \($*\( .*\)\{0,1\}\)\$/\1/p" "$readme"; }

# readme_block LANGUAGE: the README's fenced block in it.
readme_block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/d;p;}" "$readme"; }

# write_host FILE: C99 and C++11 in one; it ends well with the library of its headers.
write_host() {
    cat >"$1" <<'HOST'
#include <axl/axl.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    axl_context *ctx;
    axl_context_options options = AXL_CONTEXT_OPTIONS_INIT;

    options.threads = 2;
    if (axl_context_new(&ctx, &options) != AXL_OK) {
        fprintf(stderr, "%s\n", axl_last_error());
        return 1;
    }
    axl_context_free(ctx);
    return strcmp(axl_version(), AXL_VERSION) != 0 || axl_abi_version() != AXL_ABI_VERSION;
}
HOST
}

# use_prefix PREFIX: pkg-config sees the axl that is installed there.
use_prefix() {
    unset PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
    pc=$(find "$1" -name axl.pc)
    [ -n "$pc" ] || wrong "axl.pc was not installed in $1"
    libdir=$(realpath "${pc%/*}/..")
    export PKG_CONFIG_PATH=${pc%/*}
}

# loads_axl PROGRAM: it is linked with a shared libaxl.
loads_axl() { readelf -d "$1" | grep 'NEEDED.*\[libaxl\.so' >/dev/null; }

# try SHELL_LINE: builds a host, as ./host, by a line that may ask pkg-config, and runs it.
try() {
    rm -f host
    quietly sh -c "$1" && quietly ./host && return
    wrong "a host does not build or run: $1"
}
