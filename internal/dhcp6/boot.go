package dhcp6

import (
	"bytes"
	"encoding/binary"
	"net/url"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// bootClient tells what kind of boot client sent the options, "" when it does not say.
func bootClient(options dhcpv6.Options) string {
	if o, ok := options.GetOne(dhcpv6.OptionUserClass).(*dhcpv6.OptionGeneric); ok && bytes.Contains(o.OptionData, []byte("iPXE")) {
		return "ipxe"
	}
	o, ok := options.GetOne(dhcpv6.OptionClientArchType).(*dhcpv6.OptionGeneric)
	if !ok || len(o.OptionData) < 2 {
		return ""
	}
	return spec.BootClient(binary.BigEndian.Uint16(o.OptionData))
}

// bootOptions are the boot file URL (RFC 5970) and, for firmware that boots by
// HTTP, the class without which it takes no offer (UEFI 2.10 section 24.7).
func bootOptions(b *plan.Boot, client string) []dhcpv6.Option {
	target := bootURL(b, client)
	if target == "" {
		return nil
	}
	options := []dhcpv6.Option{dhcpv6.OptBootFileURL(target)}
	if strings.HasPrefix(client, "http-") {
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
func bootURL(b *plan.Boot, client string) string {
	if b == nil {
		return ""
	}
	file, own := b.Files[client]
	if !own {
		file = b.File
	}
	switch {
	case file == "" || strings.Contains(file, "://"):
		return file
	case strings.HasPrefix(client, "http-"), b.Name == "" && !b.Server.IsValid():
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
