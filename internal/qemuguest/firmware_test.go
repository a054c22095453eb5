package qemuguest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// place makes empty files in a new directory.
func place(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFirmwareSaysWhatToInstall(t *testing.T) {
	oldROMs, oldCodes, oldVars := roms, codes, vars
	t.Cleanup(func() { roms, codes, vars = oldROMs, oldCodes, oldVars })
	dir := place(t, "code", "code4", "vars") // code4 lacks its variables
	in := func(names ...string) (list []string) {
		for _, n := range names {
			list = append(list, filepath.Join(dir, n))
		}
		return list
	}
	roms, codes, vars = in("rom"), in("code4", "code"), in("vars4", "vars")
	if _, err := BIOS(); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt install ipxe-qemu") {
		t.Errorf("BIOS: got %v", err)
	}
	f, err := UEFI()
	if err != nil || f.code != codes[1] || f.vars != vars[1] {
		t.Errorf("UEFI: got %+v, %v; want the pair that is whole", f, err)
	}
	codes = in("none")
	if _, err := UEFI(); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt install ovmf") {
		t.Errorf("UEFI: got %v", err)
	}
}

func TestFirmwareStartsNoKernel(t *testing.T) {
	t.Parallel()
	assets := &Assets{Kernel: "vmlinuz", Initramfs: "initramfs"}
	for name, c := range map[string]struct {
		firmware *Firmware
		with     string
		without  []string
	}{
		"none": {nil, "-kernel vmlinuz -initrd initramfs -append console=ttyS0", []string{"bootindex", "pflash"}},
		"BIOS": {&Firmware{}, "bootindex=0", []string{"-kernel", "pflash", "romfile"}},
		"UEFI": {&Firmware{code: "c.fd", vars: "v.fd"}, "bootindex=0,romfile= -drive if=pflash,format=raw,unit=0,readonly=on,file=c.fd -drive if=pflash,format=raw,unit=1,snapshot=on,file=v.fd", []string{"-kernel"}},
	} {
		argv := arguments(Config{Assets: assets, Name: "vm1", Tap: "tap1", Firmware: c.firmware})
		line := strings.Join(argv, " ")
		if !strings.Contains(line, c.with) || slices.ContainsFunc(c.without, func(s string) bool { return strings.Contains(line, s) }) {
			t.Errorf("%s: %s: want %q, not %q", name, line, c.with, c.without)
		}
	}
}
