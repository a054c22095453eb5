package libvirtxml

import (
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// lineOption sends an option to the guests of all subnets of its family.
func (t *translation) lineOption(place string, fields []string) string {
	client, rest, ok := t.tagged(fields)
	if !ok || len(rest) == 0 {
		return noTags
	}
	v6, code := dnsmasqOption(rest[0])
	class := strings.Join(rest[1:], "")
	switch {
	case client != "" && code == optionVendorClass && (class == "PXEClient" || class == "HTTPClient"):
		return "" // kvmnet answers with the class that such a client has
	case client != "":
		return "options are not told apart by kinds of clients"
	case code == 0:
		return "the option has no number that is known here"
	}
	because := noDHCP
	t.served(v6, func(path string, s *spec.Subnet) {
		key, value, err := optionOf(v6, code, rest[1:], s.Address.Addr())
		if err != nil {
			because = err.Error()
			return
		}
		because = ""
		setEntry(&s.DHCP.Options, key, value)
		t.put(spec.Field(spec.Field(path, "options"), key), place)
	})
	return because
}

const (
	optionVendorClass = 60
	optionRoutes      = 121
	optionMSRoutes    = 249
)

// optionOf writes an option as spec has it. 0.0.0.0 and [::] stand for the host
// itself; without a value the option is not sent.
func optionOf(v6 bool, code uint16, values []string, host netip.Addr) (key, value string, err error) {
	key = spec.OptionName(v6, code)
	named := key != ""
	if !named {
		key = strconv.Itoa(int(code))
	}
	words := make([]string, 0, len(values))
	for _, v := range values {
		v = strings.Trim(v, "[]")
		if a, err := netip.ParseAddr(v); err == nil && a.IsUnspecified() {
			v = host.String()
		}
		if v != "" {
			words = append(words, v)
		}
	}
	switch {
	case len(words) == 0:
		value = spec.NotSent
	case !v6 && (code == optionRoutes || code == optionMSRoutes):
		value = routeWords(words)
	case named:
		value = namedValue(v6, key, words)
	default:
		value = typedValue(words)
	}
	_, _, err = spec.EncodeOption(v6, key, value)
	return key, value, err
}

// routeWords makes of 10.0.0.0/8,192.168.1.1 what spec calls a route.
func routeWords(words []string) string {
	var routes []string
	for i := 0; i+1 < len(words); i += 2 {
		to := words[i]
		if !strings.Contains(to, "/") {
			to += "/32"
		}
		routes = append(routes, to+" via "+words[i+1])
	}
	return strings.Join(routes, ", ")
}

// namedValue joins the words; what is true or false is a number for dnsmasq.
func namedValue(v6 bool, key string, words []string) string {
	value := strings.Join(words, ", ")
	if _, _, err := spec.EncodeOption(v6, key, value); err != nil && len(words) == 1 {
		if word := map[string]string{"0": "false", "1": "true"}[value]; word != "" {
			return word
		}
	}
	return value
}

// typedValue says of what kind a value is, as dnsmasq guesses it: addresses, bytes with
// colons, the smallest number that holds it, else text.
func typedValue(words []string) string {
	joined := strings.Join(words, ", ")
	n, err := strconv.ParseUint(words[0], 10, 32)
	_, notAddress := netip.ParseAddr(words[0])
	switch {
	case notAddress == nil:
		return "ip: " + joined
	case err == nil && len(words) == 1 && n < 1<<8:
		return "u8: " + joined
	case err == nil && len(words) == 1 && n < 1<<16:
		return "u16: " + joined
	case err == nil && len(words) == 1:
		return "u32: " + joined
	case strings.Contains(joined, ":") && strings.Trim(joined, "0123456789abcdefABCDEF:") == "":
		return "hex: " + joined
	}
	return "text: " + strings.Join(words, ",")
}
