package dhcp4

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

func TestBoot(t *testing.T) {
	t.Parallel()
	boot := &plan.Boot{Server: addr(gateway), File: "default", Files: map[string]string{
		"bios": "undionly.kpxe", "uefi-x64": "ipxe.efi", "uefi-arm64": "arm.efi", "http-x64": "http://192.168.100.1/boot.efi", "ipxe": "http://192.168.100.1/menu",
	}}
	pxe := func(arch byte) []mod {
		return []mod{text(optVendorClass, "PXEClient:Arch:00000:UNDI:002001"), opt(optArchitecture, 0, arch), params(1, 3, 43, 60, 66, 67, 150), text(optMachineID, "\x00uuid")}
	}
	for name, c := range map[string]struct {
		mods  []mod
		file  string // 67
		class string // 60
	}{
		"BIOS":              {pxe(0), "undionly.kpxe", "PXEClient"},
		"UEFI x64":          {pxe(7), "ipxe.efi", "PXEClient"},
		"UEFI x64, also":    {pxe(9), "ipxe.efi", "PXEClient"},
		"UEFI arm64":        {pxe(11), "arm.efi", "PXEClient"},
		"UEFI x86, default": {pxe(6), "default", "PXEClient"},
		"unknown, default":  {pxe(40), "default", "PXEClient"},
		"iPXE":              {append(pxe(7), text(optUserClass, "iPXE")), "http://192.168.100.1/menu", "PXEClient"},
		"iPXE, option 175":  {append(pxe(0), opt(optIPXE, 1, 1, 1)), "http://192.168.100.1/menu", "PXEClient"},
		"HTTP":              {[]mod{text(optVendorClass, "HTTPClient:Arch:00016"), opt(optArchitecture, 0, 16), params(1, 3)}, "http://192.168.100.1/boot.efi", "HTTPClient"},
		"HTTP, no URL":      {[]mod{text(optVendorClass, "HTTPClient:Arch:00019"), opt(optArchitecture, 0, 19), params(1, 67)}, "", ""},
		"asks for a file":   {[]mod{params(1, 66, 67)}, "default", ""},
		"asks for nothing":  {[]mod{params(1, 3)}, "", ""},
		"has no list":       {nil, "", ""},
		"old ROM":           {[]mod{text(optVendorClass, "PXEClient"), params(67)}, "undionly.kpxe", "PXEClient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, lab(func(s *plan.Scope) { s.Boot = boot }), func(r *rig) {
				got := r.exchange(msg(discover, guest(1), c.mods...))
				if string(got.opt(optBootFile)) != c.file || string(got.opt(optVendorClass)) != c.class {
					t.Errorf("file %q, class %q", got.opt(optBootFile), got.opt(optVendorClass))
				}
				if got.BootFileName != c.file || (c.file != "") != got.ServerIPAddr.Equal(ip4(gateway)) {
					t.Errorf("header: file %q, server %s", got.BootFileName, got.ServerIPAddr)
				}
				if c.class == "PXEClient" && string(got.opt(optVendorInfo)) != discoveryControl {
					t.Errorf("vendor information %x", got.opt(optVendorInfo))
				}
			})
		})
	}
}

func TestBootServerByName(t *testing.T) {
	t.Parallel()
	boot := &plan.Boot{Server: addr("192.0.2.9"), Name: "tftp.example.org", File: "pxe"}
	world(t, lab(func(s *plan.Scope) { s.Boot = boot }), func(r *rig) {
		got := r.exchange(msg(discover, guest(1), text(optVendorClass, "PXEClient"), params(66, 150)))
		if got.ServerHostName != "tftp.example.org" || string(got.opt(optTFTPServer)) != "tftp.example.org" || string(got.opt(optTFTPAddresses)) != "\xc0\x00\x02\x09" {
			t.Errorf("name %q, options %q %x", got.ServerHostName, got.opt(optTFTPServer), got.opt(optTFTPAddresses))
		}
		if string(got.opt(optMachineID)) != "" || len(got.opt(optBootFile)) != 0 || got.BootFileName != "pxe" {
			t.Errorf("file %q in the header, %q as option", got.BootFileName, got.opt(optBootFile))
		}
	})
}

func TestBootOptionsCountInTheHeaderToo(t *testing.T) {
	t.Parallel()
	pxe := []mod{text(optVendorClass, "PXEClient:Arch:00000"), opt(optArchitecture, 0, 0), params(66, 67, 150)}
	boot := &plan.Boot{Server: addr(gateway), File: "all"}
	for name, c := range map[string]struct {
		boot    *plan.Boot
		options []plan.Option
		mods    []mod
		want    string // server, name and file of the header, options 66 and 67, addresses of 150
	}{
		"file":             {boot, []plan.Option{{Code: 67, Data: "own"}}, pxe, gateway + "  own " + gateway + " own c0a86401"},
		"server":           {boot, []plan.Option{{Code: 66, Data: "192.0.2.9"}}, pxe, "192.0.2.9  all 192.0.2.9 all c0000209"},
		"server by name":   {boot, []plan.Option{{Code: 66, Data: "tftp.lab"}}, pxe, "0.0.0.0 tftp.lab all tftp.lab all "},
		"no boot":          {nil, []plan.Option{{Code: 66, Data: "192.0.2.9"}, {Code: 67, Data: "own"}}, pxe, "192.0.2.9  own 192.0.2.9 own "},
		"nobody asks":      {nil, []plan.Option{{Code: 66, Data: "192.0.2.9"}, {Code: 67, Data: "own"}}, []mod{params(1, 3)}, "0.0.0.0     "},
		"longer than 127":  {boot, []plan.Option{{Code: 67, Data: strings.Repeat("x", 130)}}, pxe, gateway + "   " + gateway + " " + strings.Repeat("x", 130) + " c0a86401"},
		"server by IPv6":   {boot, []plan.Option{{Code: 66, Data: "fd09::1"}}, pxe, "0.0.0.0 fd09::1 all fd09::1 all "},
		"neither of these": {boot, []plan.Option{{Code: 17, Data: "/root"}}, pxe, gateway + "  all " + gateway + " all c0a86401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, lab(func(s *plan.Scope) { s.Boot, s.Options = c.boot, c.options }), func(r *rig) {
				m := r.exchange(msg(discover, guest(1), c.mods...))
				got := fmt.Sprintf("%s %s %s %s %s %x", m.ServerIPAddr, m.ServerHostName, m.BootFileName, m.opt(optTFTPServer), m.opt(optBootFile), m.opt(optTFTPAddresses))
				if got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestIPXEIsToldAServerThatHasNoAddressInAURL(t *testing.T) {
	t.Parallel()
	ipxe := []mod{text(optVendorClass, "PXEClient:Arch:00000"), text(optUserClass, "iPXE"), params(66, 67)}
	for want, c := range map[string]struct {
		file string
		mods []mod
	}{
		"tftp://boot.lab/menu%20one.ipxe": {"menu one.ipxe", ipxe},
		"tftp://boot.lab/menu.ipxe":       {"/menu.ipxe", ipxe},
		"http://other/menu.ipxe":          {"http://other/menu.ipxe", ipxe},
		"menu.ipxe":                       {"menu.ipxe", []mod{text(optVendorClass, "PXEClient"), params(66, 67)}}, // firmware knows no URLs
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			world(t, lab(func(s *plan.Scope) { s.Boot = &plan.Boot{Name: "boot.lab", File: c.file} }), func(r *rig) {
				got := r.exchange(msg(discover, guest(1), c.mods...))
				if got.BootFileName != want || string(got.opt(optBootFile)) != want || !got.ServerIPAddr.IsUnspecified() || string(got.opt(optTFTPServer)) != "boot.lab" {
					t.Errorf("file %q and %q at %s, %q", got.BootFileName, got.opt(optBootFile), got.ServerIPAddr, got.opt(optTFTPServer))
				}
			})
		})
	}
}

func TestHTTPFirmwareIsToldHTTPOnly(t *testing.T) {
	t.Parallel()
	c := bootClient{http: true, arch: "http-x64", told: true}
	for file, want := range map[string]string{
		"http://boot.lab/x.efi": "http://boot.lab/x.efi", "https://boot.lab/x.efi": "https://boot.lab/x.efi",
		"tftp://boot.lab/x.efi": "", "httpboot/x.efi": "",
	} {
		if got := c.file(&plan.Boot{File: file}); got != want {
			t.Errorf("%s: want %q, got %q", file, want, got)
		}
	}
}

func TestIPXEWithoutScriptGetsTheDefault(t *testing.T) {
	t.Parallel()
	c := bootClient{pxe: true, ipxe: true, arch: "bios", told: true}
	for want, b := range map[string]*plan.Boot{
		"script": {File: "script", Files: map[string]string{"bios": "undionly.kpxe"}},
		"kernel": {Files: map[string]string{"bios": "kernel"}},
		"":       {},
	} {
		if got := c.file(b); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}
