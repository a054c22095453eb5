package dhcp6

import (
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// codes lists the options of a message, without the identifiers and IAs.
func codes(m *dhcpv6.Message) []dhcpv6.OptionCode {
	var list []dhcpv6.OptionCode
	for _, o := range m.Options.Options {
		switch o.Code() {
		case dhcpv6.OptionClientID, dhcpv6.OptionServerID, dhcpv6.OptionIANA:
		default:
			list = append(list, o.Code())
		}
	}
	slices.Sort(list)
	return list
}

func TestOptionsThatAreSent(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		kind    dhcpv6.MessageType
		options []dhcpv6.Option
		want    []dhcpv6.OptionCode
	}{
		{"resolvers and search domains, asked or not", doInform, nil, []dhcpv6.OptionCode{23, 24}},
		{"what is asked for, if there is one", doInform, []dhcpv6.Option{oro(31, 56, 23)}, []dhcpv6.OptionCode{23, 24, 31}},
		{"21.23 refresh time, asked for", doInform, []dhcpv6.Option{oro(32)}, []dhcpv6.OptionCode{23, 24, 32}},
		{"21.23 refresh time, not with addresses", doRequest, []dhcpv6.Option{oro(32), toServer, iaNA(1)}, []dhcpv6.OptionCode{23, 24}},
		{"two option requests", doInform, []dhcpv6.Option{oro(31), oro(32)}, []dhcpv6.OptionCode{23, 24, 31, 32}},
		{"with an offer", doSolicit, []dhcpv6.Option{oro(31), iaNA(1)}, []dhcpv6.OptionCode{7, 23, 24, 31}},
		{"with a renewed lease", doRenew, []dhcpv6.Option{toServer, iaNA(1)}, []dhcpv6.OptionCode{23, 24}},
		{"with no IA at all", doSolicit, []dhcpv6.Option{oro(31)}, []dhcpv6.OptionCode{7, 23, 24, 31}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := codes(newRig(t, sample()).answer(guestA, c.kind, c.options...)); !slices.Equal(got, c.want) {
				t.Errorf("sent %v, want %v", got, c.want)
			}
		})
	}
}

func TestInformationNeedsNoClientIdentifierAndNoAddresses(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Ranges = nil
	r := newRig(t, d)
	m := r.answer(guest{mac: macA}, doInform, oro(23, 24))
	if got := codes(m); !slices.Equal(got, []dhcpv6.OptionCode{23, 24}) || m.MessageType != dhcpv6.MessageTypeReply {
		t.Errorf("answered %s", m.Summary())
	}
	if m := r.answer(guestA, doSolicit, iaNA(1)); iaStatus(t, m, 1) != iana.StatusNoAddrsAvail || len(r.warnings()) > 0 {
		t.Errorf("answered %s, warned of %q: it is not out of addresses, it has none", m.Summary(), r.warnings())
	}
	r.Set(&plan.DHCP{})
	if got := codes(r.answer(guestA, doInform)); len(got) != 0 {
		t.Errorf("without a subnet %v is sent", got)
	}
}

func TestReservationReplacesOptionsOfTheScope(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5"), Options: []plan.Option{
		{Code: 23, Data: string(addr("fd00:1::53").AsSlice())}, {Code: 41, Data: "EST5EDT"}}}}
	r := newRig(t, d)
	for _, kind := range []dhcpv6.MessageType{doSolicit, doInform} {
		options := []dhcpv6.Option{oro(41)}
		if kind == doSolicit {
			options = append(options, iaNA(1))
		}
		m := r.answer(guestA, kind, options...)
		if dns := m.Options.DNS(); len(dns) != 1 || dns[0].String() != "fd00:1::53" || m.GetOneOption(41) == nil {
			t.Errorf("%s answered %s", kind, m.Summary())
		}
		if m := r.answer(guestB, kind, options...); m.Options.DNS()[0].String() != "fd00:1::1" || m.GetOneOption(41) != nil {
			t.Errorf("%s of another guest answered %s", kind, m.Summary())
		}
	}
}

func TestReservationKeepsAnOptionOfTheScopeFromItsGuest(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5"), Options: []plan.Option{{Code: 23}}}}
	m := newRig(t, d).answer(guestA, doInform)
	if got := codes(m); !slices.Equal(got, []dhcpv6.OptionCode{24}) {
		t.Errorf("sent %v", got)
	}
}

func TestClientIsToldItsName(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		options []dhcpv6.Option
		change  func(*plan.Scope)
		want    string // raw option 39, "" = none
		lease   string // host name in the book
	}{
		{"S set", []dhcpv6.Option{fqdnOption(1, "Web-1")}, nil, "\x01\x05web-1\x03lab\x08internal\x00", "web-1"},
		{"S clear is overridden", []dhcpv6.Option{fqdnOption(0, "web")}, nil, "\x03\x03web\x03lab\x08internal\x00", "web"},
		{"first label of a full name", []dhcpv6.Option{opt(39, []byte("\x01\x03web\x05other\x00"))}, nil, "\x01\x03web\x03lab\x08internal\x00", "web"},
		{"no domain: a partial name", []dhcpv6.Option{fqdnOption(1, "web")}, func(s *plan.Scope) { s.Domain = "" }, "\x01\x03web", "web"},
		{"only asked for", []dhcpv6.Option{oro(39)}, nil, "", ""},
		{"reserved, only asked for", []dhcpv6.Option{oro(39)}, reserveA, "\x01\x03vm1\x03lab\x08internal\x00", "vm1"},
		{"reserved, says another name", []dhcpv6.Option{fqdnOption(1, "web")}, reserveA, "\x01\x03vm1\x03lab\x08internal\x00", "vm1"},
		{"reserved without a name", []dhcpv6.Option{fqdnOption(1, "web")}, func(s *plan.Scope) {
			s.Reservations = []plan.Reservation{{MAC: macA, Addr: addr("fd00:1::5")}}
		}, "\x01\x03web\x03lab\x08internal\x00", "web"},
		{"reserved without a name, says none", []dhcpv6.Option{oro(39)}, func(s *plan.Scope) {
			s.Reservations = []plan.Reservation{{MAC: macA, Addr: addr("fd00:1::5")}}
		}, "", ""},
		{"reserved for another", []dhcpv6.Option{fqdnOption(1, "vm2")}, func(s *plan.Scope) {
			s.Reservations = []plan.Reservation{{Name: "vm2", MAC: macB, Addr: addr("fd00:1::6")}}
		}, "", ""},
		{"a name that is cleaned", []dhcpv6.Option{fqdnOption(1, "My_VM.")}, nil, "\x01\x05my-vm\x03lab\x08internal\x00", "my-vm"},
		{"a name it cannot have", []dhcpv6.Option{fqdnOption(1, "wpad")}, nil, "", ""},
		{"empty", []dhcpv6.Option{opt(39, []byte{1, 0})}, nil, "", ""},
		{"flags only", []dhcpv6.Option{opt(39, []byte{1})}, nil, "", ""},
		{"no flags", []dhcpv6.Option{opt(39, nil)}, nil, "", ""},
		{"label behind the end", []dhcpv6.Option{opt(39, []byte{1, 5, 'a'})}, nil, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := sample()
			if c.change != nil {
				c.change(&d.Scopes[0])
			}
			r := newRig(t, d)
			m := r.answer(guestA, doRequest, append(c.options, toServer, iaNA(1))...)
			got := ""
			if o := m.GetOneOption(39); o != nil {
				got = string(o.ToBytes())
			}
			l, _ := r.table.At(given(t, m, 1))
			if got != c.want || l.Hostname != c.lease {
				t.Errorf("told %q, want %q; it is called %q, want %q", got, c.want, l.Hostname, c.lease)
			}
		})
	}
}

func reserveA(s *plan.Scope) {
	s.Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5")}}
}

func TestBootFileByKindOfClient(t *testing.T) {
	t.Parallel()
	six := &plan.Boot{Server: addr("fd00:1::1"), File: "/pxelinux.0", Files: map[string]string{
		"uefi-x64": "efi/shim.efi", "ipxe": "http://boot.lab/menu.ipxe", "http-x64": "http://boot.lab/shim.efi", "bios": ""}}
	named := &plan.Boot{Server: addr("192.0.2.1"), Name: "boot.lab", File: "a file"}
	four := &plan.Boot{Server: addr("192.0.2.1"), File: "x"}
	arch := func(n byte) dhcpv6.Option { return opt(61, []byte{0, n}) }
	cases := []struct {
		name    string
		boot    *plan.Boot
		options []dhcpv6.Option
		want    string
	}{
		{"no kind told", six, nil, "tftp://[fd00:1::1]/pxelinux.0"},
		{"kind without a file of its own", six, []dhcpv6.Option{arch(11)}, "tftp://[fd00:1::1]/pxelinux.0"},
		{"UEFI x64", six, []dhcpv6.Option{arch(9)}, "tftp://[fd00:1::1]/efi/shim.efi"},
		{"UEFI x64, as old firmware tells it", six, []dhcpv6.Option{arch(7)}, "tftp://[fd00:1::1]/efi/shim.efi"},
		{"kind with an empty file", six, []dhcpv6.Option{arch(0)}, "tftp://[fd00:1::1]/pxelinux.0"},
		{"HTTP", six, []dhcpv6.Option{arch(16)}, "http://boot.lab/shim.efi"},
		{"HTTP, but the file is on TFTP", six, []dhcpv6.Option{arch(19)}, ""},
		{"iPXE before the architecture", six, []dhcpv6.Option{arch(9), opt(15, []byte("\x00\x04iPXE"))}, "http://boot.lab/menu.ipxe"},
		{"iPXE where only its architecture has a file", &plan.Boot{Server: addr("fd00:1::1"), Files: map[string]string{"uefi-x64": "grub.efi"}},
			[]dhcpv6.Option{arch(9), opt(15, []byte("\x00\x04iPXE"))}, "tftp://[fd00:1::1]/grub.efi"},
		{"odd architecture", six, []dhcpv6.Option{opt(61, []byte{1})}, "tftp://[fd00:1::1]/pxelinux.0"},
		{"server by name", named, nil, "tftp://boot.lab/a%20file"},
		{"server of IPv4", four, nil, "tftp://192.0.2.1/x"},
		{"no server", &plan.Boot{File: "x"}, nil, ""},
		{"no boot", nil, nil, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := sample()
			d.Scopes[0].Boot = c.boot
			m := newRig(t, d).answer(guestA, doSolicit, append(c.options, oro(59, 60), iaNA(1))...)
			if got := m.Options.BootFileURL(); got != c.want {
				t.Errorf("boots %q, want %q", got, c.want)
			}
			if class := m.Options.VendorClass(343); (class != nil) != (c.name == "HTTP") {
				t.Errorf("vendor class %q", class)
			}
		})
	}
}

func TestBootFileIsForWhoAsks(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Boot = &plan.Boot{Server: addr("fd00:1::1"), File: "x"}
	r := newRig(t, d)
	if m := r.answer(guestA, doSolicit, iaNA(1)); m.Options.BootFileURL() != "" {
		t.Errorf("answered %s", m.Summary())
	}
	d = sample()
	d.Scopes[0].Boot = &plan.Boot{Server: addr("fd00:1::1"), File: "x"}
	d.Scopes[0].Options = append(d.Scopes[0].Options, plan.Option{Code: 59, Data: "http://by.hand/"})
	r.Set(d)
	m := r.answer(guestA, doSolicit, oro(59), iaNA(1))
	if m.Options.BootFileURL() != "http://by.hand/" || len(m.GetOption(59)) != 1 {
		t.Errorf("answered %s, want the option that was set by hand", m.Summary())
	}
}

func TestInfiniteLeaseHasNoEnd(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Lease = spec.Infinite
	r := newRig(t, d)
	if l, _ := r.table.At(r.bind(guestA, 1)); !l.Expires.IsZero() {
		t.Errorf("it expires %s", l.Expires)
	}
}
