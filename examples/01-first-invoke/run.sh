#!/bin/sh
# Reviews a range of this checkout's own history with a sandboxed skill, through a gateway on
# a fresh home, offline: no key, no network, no other service. Leaves nothing behind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

say() { printf '\n\033[1m== %s\033[0m\n' "$1" >&2; }

if [ -z "${CLAW:-}" ]; then
    say "build claw and what skills are compiled for"
    if command -v rustup >/dev/null && ! rustup target list --installed | grep -q '^wasm32-wasip2$'; then
        rustup target add wasm32-wasip2
    fi
    cargo build --package claw
    CLAW="${CARGO_TARGET_DIR:-$root/target}/debug/claw"
fi

work=$(mktemp -d)
CLAW_HOME="$work/home"
export CLAW_HOME
gateway=
finish() {
    if [ -n "$gateway" ]; then "$CLAW" gateway stop 2>/dev/null || kill "$gateway" 2>/dev/null || true; fi
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT INT TERM

# A clone with its history is looked at itself; a shallow one, or a plain copy, brings its own.
checkout="$root"
if [ "$(git -C "$root" rev-parse --is-shallow-repository 2>/dev/null || echo none)" != false ] ||
    ! git -C "$root" rev-parse --quiet --verify HEAD~2 >/dev/null 2>&1; then
    checkout="$work/checkout"
    git clone --quiet --branch history "$here/history.bundle" "$checkout"
fi

say "build the skill: SKILL.md and Rust become one .wasm that can do what its grants say"
skill=$("$CLAW" skill build skills/pr-review-prep | tail -n 1)

say "set up a home, and let granted skills look at this one checkout with git"
"$CLAW" onboard --yes --exec git --root "this-project=$checkout"

say "start the gateway, drop the skill into its home, allow it what it asks for"
"$CLAW" gateway run --listen 127.0.0.1:0 2>"$work/gateway.log" &
gateway=$!
wait_for() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then
            cat "$work/gateway.log" >&2
            exit 1
        fi
        sleep 0.1
    done
}
listed() { "$CLAW" skill list | grep "pr-review-prep" | grep -q "$1"; }
wait_for "$CLAW" gateway status
cp "$skill" "$CLAW_HOME/skills/"
wait_for listed '1\.2\.0'
"$CLAW" skill allow pr-review-prep --all
wait_for listed live
"$CLAW" skill list

# Two early commits: lock files and dependencies came in, so there is something to flag.
commit() { git -C "$checkout" rev-list --reverse --first-parent HEAD | sed -n "$1p"; }
range="$(commit 1)..$(commit 3)"

say "review two commits of this project's own history, over HTTP"
"$CLAW" invoke pr-review-prep --input repo=this-project --input "range=$range" --json >"$work/answer.json"
"$CLAW" invoke pr-review-prep --input repo=this-project --input "range=$range" --stream

say "what it did, from the audit journal"
id=$(sed -n 's/.*"id": "\(inv_[0-9a-z]*\)".*/\1/p' "$work/answer.json" | head -n 1)
"$CLAW" audit show "$id"
"$CLAW" audit verify
