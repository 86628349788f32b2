#!/bin/sh
# For maintainers only: makes the vendored files anew from npm. Users of the product need no node and no network.
#
#   update.sh           all of them: change the versions below, run it, look at the pages, commit with README.md
#   update.sh tabler    Tabler alone: when a page uses a class or a part of Bootstrap for the first time
#   update.sh icons     the sprite alone: when icons.txt has changed
#   update.sh echarts   ECharts alone: when charts.js uses another part of it (echarts.entry.js)
set -eu
TABLER=1.6.1 BOOTSTRAP=5.3.8 POPPER=2.11.8 ECHARTS=6.1.0 TOM_SELECT=2.6.2 INTER=5.3.0 ICONS=3.51.0 AXE=4.14.1
ESBUILD=0.28.2 PURGECSS=8.0.0

what=${1:-all}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages="$work/node_modules"

wants() { [ "$what" = all ] || [ "$what" = "$1" ]; }

install() { npm install --silent --no-save --no-audit --no-fund --prefix "$work" "$@"; }

# bundle ENTRY GLOBAL_NAME OUT: one script without what nothing of it calls.
bundle() {
    cp "$here/$1" "$work/"
    (cd "$work" && "$packages/.bin/esbuild" "$1" --bundle --minify --format=iife ${2:+--global-name=$2} --target=es2020 \
        --legal-comments=none --define:process.env.NODE_ENV='"production"' --log-level=warning --outfile="$3")
}

# Source maps are not kept, so the lines that point to them go too: collectstatic would look for the files.
without_map() { sed -e 's|/\*# sourceMappingURL=[^*]*\*/||' -e 's|^//# sourceMappingURL=.*||' "$1"; }

sprite() {
    echo '<svg xmlns="http://www.w3.org/2000/svg">'
    while read -r name; do
        echo "<symbol id=\"$name\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-linecap=\"round\" stroke-linejoin=\"round\">"
        sed -n '/<path\|<circle\|<rect\|<line/p' "$packages/@tabler/icons/icons/outline/$name.svg" | grep -v 'M0 0h24v24H0z' | tr -d '\n' | sed 's/  */ /g'
        echo '</symbol>'
    done < "$here/tabler-icons/icons.txt"
    echo '</svg>'
}

if wants echarts; then
    install "echarts@$ECHARTS" "esbuild@$ESBUILD"
    bundle echarts.entry.js echarts "$here/echarts/echarts.min.js"
    cp "$packages/echarts/LICENSE" "$packages/echarts/NOTICE" "$here/echarts/"
fi
if wants tom-select; then
    install "tom-select@$TOM_SELECT"
    without_map "$packages/tom-select/dist/js/tom-select.complete.min.js" > "$here/tom-select/tom-select.complete.min.js"
    without_map "$packages/tom-select/dist/css/tom-select.bootstrap5.min.css" > "$here/tom-select/tom-select.bootstrap5.min.css"
    cp "$packages/tom-select/LICENSE" "$here/tom-select/"
fi
if wants tabler; then
    install "@tabler/core@$TABLER" "bootstrap@$BOOTSTRAP" "@popperjs/core@$POPPER" "esbuild@$ESBUILD" "purgecss@$PURGECSS"
    bundle tabler.entry.js "" "$here/tabler/tabler.min.js"
    cp "$here/purge.mjs" "$work/"
    node "$work/purge.mjs" "$packages/@tabler/core/dist/css/tabler.css" "$root" "$here/tabler"
fi
if wants inter; then
    install "@fontsource-variable/inter@$INTER"
    inter="$packages/@fontsource-variable/inter"
    cp "$inter/files/inter-latin-wght-normal.woff2" "$inter/files/inter-latin-ext-wght-normal.woff2" "$inter/LICENSE" "$here/inter/"
fi
if wants icons; then
    install "@tabler/icons@$ICONS"
    cp "$packages/@tabler/icons/LICENSE" "$here/tabler-icons/LICENSE"
    sprite > "$here/tabler-icons/sprite.svg"
fi
# Only tests use it, so it is not among what is served.
if wants axe; then
    install "axe-core@$AXE"
    cp "$packages/axe-core/axe.min.js" "$packages/axe-core/LICENSE" "$root/tests/browser/axe/"
fi
