import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isPlain, real, withoutBuildSettings } from '../commands/packages.ts';
import { folder } from './fixture.ts';

const named = (text: string) =>
  Object.fromEntries(
    text
      .trim()
      .split(/\s+/)
      .map((name) => [name, '']),
  );

describe('Packages', () => {
  it('are built without what somebody set for other builds', () => {
    const dropped = named(`
      CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_PROFILE_RELEASE_LTO CARGO_INCREMENTAL
      CARGO_TARGET_DIR CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER CARGO_LAMBDA_COMPILER
      CARGO_ZIGBUILD_ZIG_PATH RUSTFLAGS RUSTC RUSTC_WRAPPER RUSTDOCFLAGS RUST_TARGET_PATH
      CC CC_x86_64_unknown_linux_gnu CC_aarch64-unknown-linux-gnu TARGET_CC HOST_CC CXX AR_x86_64
      CFLAGS CFLAGS_x86_64_unknown_linux_gnu TARGET_CFLAGS HOST_CFLAGS CPPFLAGS CXXFLAGS LDFLAGS
      C_INCLUDE_PATH CPATH CMAKE_TOOLCHAIN_FILE AWS_LC_SYS_NO_JITTER_ENTROPY CRATE_CC_NO_DEFAULTS
      BINDGEN_EXTRA_CLANG_ARGS ZIG_LIB_DIR SOURCE_DATE_EPOCH
    `);
    assert.deepEqual(withoutBuildSettings(dropped), {});
  });

  it('are built with what tells where all of it comes from', () => {
    const kept = named(`
      PATH HOME LANG TMPDIR LD_LIBRARY_PATH SSL_CERT_FILE http_proxy HTTPS_PROXY no_proxy AWS_PROFILE
      CARGO_HOME CARGO_HTTP_CAINFO CARGO_HTTP_PROXY CARGO_NET_OFFLINE CARGO_REGISTRY_TOKEN
      CARGO_REGISTRIES_COMPANY_INDEX CARGO_TERM_COLOR RUSTUP_HOME RUSTUP_TOOLCHAIN PIP_INDEX_URL
    `);
    assert.deepEqual(withoutBuildSettings(kept), kept);
  });

  it('are built whichever way their folder is named, and whether it is there or not', () => {
    const root = folder({ 'checkout/target/lambda/verify/bootstrap': '' });
    symlinkSync(join(root, 'checkout'), join(root, 'link'));
    for (const path of ['target/lambda', 'target/not/there']) {
      assert.equal(real(join(root, 'link', path)), real(join(root, 'checkout', path)));
    }
    assert.notEqual(real(join(root, 'link/target/a')), real(join(root, 'link/target/b')));
  });

  it('are released only from where a path is the same in flags and in URLs', () => {
    for (const path of ['/home/me/cordon/', '/srv/cordon-0.1+x_y/~a@b']) assert.ok(isPlain(path));
    for (const path of ['/another folder/', '/50%/', '/caf\u00e9/', '/a#b/', '/a?b/', '/a\tb/']) {
      assert.ok(!isPlain(path), path);
    }
  });
});
