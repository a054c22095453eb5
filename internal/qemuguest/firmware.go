package qemuguest

import (
	"os"
	"slices"
)

// Firmware is what a guest starts with that boots from the network.
type Firmware struct {
	code, vars string // of UEFI, which has drivers of its own; "" = SeaBIOS and the option ROM of the NIC
}

// Where Debian's packages have the files, the newest first.
var (
	roms  = []string{"/usr/lib/ipxe/qemu/efi-virtio.rom"}
	codes = []string{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"}
	vars  = []string{"/usr/share/OVMF/OVMF_VARS_4M.fd", "/usr/share/OVMF/OVMF_VARS.fd"}
)

// BIOS is SeaBIOS, and iPXE in the NIC's option ROM. The error wraps ErrMissing.
func BIOS() (*Firmware, error) {
	if !slices.ContainsFunc(roms, exists) {
		return nil, missing(roms[0], "ipxe-qemu")
	}
	return &Firmware{}, nil
}

// UEFI is OVMF, which tries PXE over IPv4, PXE over IPv6, HTTP over IPv4 and HTTP
// over IPv6, in this order. The error wraps ErrMissing.
func UEFI() (*Firmware, error) {
	for i, code := range codes {
		if exists(code) && exists(vars[i]) {
			return &Firmware{code: code, vars: vars[i]}, nil
		}
	}
	return nil, missing(codes[0], "ovmf")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// arguments are QEMU's words for the machine and its NIC. Without graphics
// SeaBIOS and what it starts write to the first serial port, as OVMF always does.
// UEFI's variables are written to a file that nobody else sees. The ROM is QEMU's
// default: SeaBIOS runs only one made for the NIC's PCI device, and QEMU adapts no
// other.
func (f *Firmware) arguments(nic string) []string {
	argv := []string{"-machine", machine + ",graphics=off", "-device", nic + ",bootindex=0"}
	if f.code != "" {
		argv[3] += ",romfile="
		argv = append(argv,
			"-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+f.code,
			"-drive", "if=pflash,format=raw,unit=1,snapshot=on,file="+f.vars)
	}
	return argv
}
