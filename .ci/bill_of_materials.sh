#!/bin/sh
# Writes bill-of-materials/*.cdx.json (CycloneDX): the packages that an installation of the wheel in dist/ brings, without
# and with the extra serve, and those of the page. Usage: bill_of_materials.sh TOOLS, the bin folder that has cyclonedx-py.
set -eu
tools=$1
out=bill-of-materials
rm -rf "$out"
mkdir "$out"
for extra in base serve; do
    "$tools/python" -m venv --without-pip "$out/environment"
    wheel=$(ls dist/*.whl)
    [ "$extra" = base ] || wheel="$wheel[$extra]"
    "$tools/python" -m pip --python "$out/environment/bin/python" install --quiet --constraint constraints.txt "$wheel"
    "$tools/cyclonedx-py" environment --output-reproducible --pyproject pyproject.toml \
        --output-file "$out/$extra.cdx.json" "$out/environment/bin/python"
    rm -rf "$out/environment"
done
(cd predict/page && npm sbom --sbom-format=cyclonedx --omit=dev --package-lock-only) >"$out/page.cdx.json"
