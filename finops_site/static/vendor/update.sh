#!/bin/sh
# For maintainers only: fetches the vendored files anew from npm. Users of the product need no node and no network.
# Change the versions below, run it, look at the pages, commit what changed together with README.md.
set -eu
TABLER=1.6.1 ECHARTS=6.1.0 TOM_SELECT=2.6.2 INTER=5.3.0 ICONS=3.51.0

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack() {
    mkdir "$work/$2"
    (cd "$work" && tar xzf "$(npm pack --silent "$1" | tail -1)" -C "$2" --strip-components=1)
}

# Source maps are not kept, so the lines that point to them go too: collectstatic would look for the files.
without_map() { sed -e 's|/\*# sourceMappingURL=[^*]*\*/||' -e 's|^//# sourceMappingURL=.*||' "$1"; }

sprite() {
    echo '<svg xmlns="http://www.w3.org/2000/svg">'
    while read -r name; do
        echo "<symbol id=\"$name\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-linecap=\"round\" stroke-linejoin=\"round\">"
        sed -n '/<path\|<circle\|<rect\|<line/p' "$work/icons/icons/outline/$name.svg" | grep -v 'M0 0h24v24H0z' | tr -d '\n' | sed 's/  */ /g'
        echo '</symbol>'
    done < "$here/tabler-icons/icons.txt"
    echo '</svg>'
}

unpack "@tabler/core@$TABLER" tabler
unpack "echarts@$ECHARTS" echarts
unpack "tom-select@$TOM_SELECT" tom-select
unpack "@fontsource-variable/inter@$INTER" inter
unpack "@tabler/icons@$ICONS" icons

without_map "$work/tabler/dist/css/tabler.min.css" > "$here/tabler/tabler.min.css"
without_map "$work/tabler/dist/js/tabler.min.js" > "$here/tabler/tabler.min.js"
cp "$work/echarts/dist/echarts.min.js" "$work/echarts/LICENSE" "$work/echarts/NOTICE" "$here/echarts/"
without_map "$work/tom-select/dist/js/tom-select.complete.min.js" > "$here/tom-select/tom-select.complete.min.js"
without_map "$work/tom-select/dist/css/tom-select.bootstrap5.min.css" > "$here/tom-select/tom-select.bootstrap5.min.css"
cp "$work/tom-select/LICENSE" "$here/tom-select/"
cp "$work/inter/files/inter-latin-wght-normal.woff2" "$work/inter/files/inter-latin-ext-wght-normal.woff2" "$work/inter/LICENSE" "$here/inter/"
cp "$work/icons/LICENSE" "$here/tabler-icons/LICENSE"
sprite > "$here/tabler-icons/sprite.svg"
