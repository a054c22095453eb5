package dhcp6

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/url"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// bootClient is what is asked for something to boot.
type bootClient struct {
	kind string // by architecture, one of spec.BootClients; "" = it does not say
	ipxe bool
}

func newBootClient(options dhcpv6.Options) (c bootClient) {
	if o, ok := options.GetOne(dhcpv6.OptionUserClass).(*dhcpv6.OptionGeneric); ok {
		c.ipxe = bytes.Contains(o.OptionData, []byte("iPXE"))
	}
	if o, ok := options.GetOne(dhcpv6.OptionClientArchType).(*dhcpv6.OptionGeneric); ok && len(o.OptionData) >= 2 {
		c.kind = spec.BootClient(binary.BigEndian.Uint16(o.OptionData))
	}
	return c
}

// http reports whether it is firmware that boots by HTTP. iPXE speaks everything.
func (c bootClient) http() bool { return !c.ipxe && strings.HasPrefix(c.kind, "http-") }

// file is what the client boots, "" for nothing. iPXE does not get the file of its
// architecture unless there is no other, because that file most often is iPXE itself.
func (c bootClient) file(b *plan.Boot) string {
	if c.ipxe {
		return cmp.Or(b.Files["ipxe"], b.File, b.Files[c.kind])
	}
	return cmp.Or(b.Files[c.kind], b.File)
}

// bootOptions are the boot file URL (RFC 5970) and, for firmware that boots by
// HTTP, the class without which it takes no offer (UEFI 2.10 section 24.7).
func bootOptions(b *plan.Boot, client bootClient) []dhcpv6.Option {
	target := bootURL(b, client)
	if target == "" {
		return nil
	}
	options := []dhcpv6.Option{dhcpv6.OptBootFileURL(target)}
	if client.http() {
		options = append(options, httpClass)
	}
	return options
}

// httpClass is a vendor class of Intel's enterprise number, as UEFI clients send it.
var httpClass = &dhcpv6.OptionGeneric{
	OptionCode: dhcpv6.OptionVendorClass,
	OptionData: append([]byte{0, 0, 1, 0x57, 0, 10}, "HTTPClient"...),
}

// bootURL is what the client boots, "" for nothing. A path lies on the TFTP
// server, of which HTTP firmware cannot boot.
func bootURL(b *plan.Boot, client bootClient) string {
	if b == nil {
		return ""
	}
	file := client.file(b)
	switch {
	case client.http() && !strings.HasPrefix(file, "http://") && !strings.HasPrefix(file, "https://"):
		return ""
	case file == "" || strings.Contains(file, "://"):
		return file
	case b.Name == "" && !b.Server.IsValid():
		return ""
	}
	return (&url.URL{Scheme: "tftp", Host: bootHost(b), Path: "/" + strings.TrimPrefix(file, "/")}).String()
}

func bootHost(b *plan.Boot) string {
	switch {
	case b.Name != "":
		return b.Name
	case b.Server.Is6():
		return "[" + b.Server.WithZone("").String() + "]"
	}
	return b.Server.String()
}
