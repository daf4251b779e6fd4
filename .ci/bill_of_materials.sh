#!/bin/sh
# Writes bill-of-materials/*.cdx.json (CycloneDX): the packages that an installation of the wheel in dist/ brings, without
# and with the extra serve, and those of the page. Usage: bill_of_materials.sh TOOLS, the bin folder that has cyclonedx-py.
set -eu
tools=$1
out=bill-of-materials
rm -rf "$out"
mkdir "$out"
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
for extra in base serve; do
    "$tools/python" -m venv --clear --without-pip "$environment"
    wheel=$(ls dist/*.whl)
    [ "$extra" = base ] || wheel="$wheel[$extra]"
    "$tools/python" -m pip --python "$environment/bin/python" install --quiet --constraint constraints.txt "$wheel"
    "$tools/cyclonedx-py" environment --output-reproducible --pyproject pyproject.toml \
        --output-file "$out/$extra.cdx.json" "$environment/bin/python"
done
(cd predict/page && npm sbom --sbom-format=cyclonedx --omit=dev --package-lock-only) >"$out/page.cdx.json"
