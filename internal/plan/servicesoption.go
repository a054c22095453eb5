package plan

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// options are the bytes of DHCP options by code; "" keeps one from being sent.
type options map[uint16]string

// Codes of options that have a default, RFC 2132 where no other is named.
const (
	optRouter    = 3
	optDNS       = 6
	optDomain    = 15
	optMTU       = 26
	optBroadcast = 28
	optSearch    = 119 // RFC 3397
	optRoutes    = 121 // RFC 3442
	optMSRoutes  = 249 // the same by Microsoft, before there was a number
	optDNS6      = 23  // RFC 3646
	optSearch6   = 24  // RFC 3646
)

// encode writes what people ask for. A name that the family does not have is left
// out: options of a network hold for both.
func encode(v6 bool, written map[string]string) options {
	o := options{}
	for key, value := range written {
		if code, data, err := spec.EncodeOption(v6, key, value); err == nil {
			o[code] = string(data)
		}
	}
	return o
}

// options are those of a subnet before complete: the defaults, on them the
// network's, on them its own.
func (v *serving) options(n *spec.Network, s spec.Subnet, server netip.Addr) options {
	v6 := s.Address.Addr().Is6()
	o := v.defaults4(n, s.Address, server)
	if v6 {
		o = v.defaults6(n, server)
	}
	maps.Copy(o, encode(v6, dhcpOf(n).Options))
	maps.Copy(o, encode(v6, s.DHCP.Options))
	return o
}

func (v *serving) defaults4(n *spec.Network, subnet netip.Prefix, server netip.Addr) options {
	o := options{optDNS: addressBytes(resolvers(n, server))}
	if n.Mode != spec.Isolated && subnet.Contains(server) {
		o[optRouter] = addressBytes([]netip.Addr{server})
	}
	if domain := domainOf(n); domain != "" {
		maps.Copy(o, encode(false, map[string]string{"domain": domain, "search": domain}))
	}
	if mtu := v.mtu(n); mtu != 1500 {
		o[optMTU] = string(binary.BigEndian.AppendUint16(nil, uint16(mtu)))
	}
	if subnet.Bits() < 31 {
		o[optBroadcast] = addressBytes([]netip.Addr{spec.LastAddr(subnet)})
	}
	return o
}

func (v *serving) defaults6(n *spec.Network, server netip.Addr) options {
	o := options{optDNS6: addressBytes(resolvers(n, server))}
	if domain := domainOf(n); domain != "" {
		maps.Copy(o, encode(true, map[string]string{"search": domain}))
	}
	return o
}

// resolvers are whom guests ask for names: the gateway, or where it does not
// answer the resolvers that are named, as far as they listen where guests ask.
func resolvers(n *spec.Network, gateway netip.Addr) []netip.Addr {
	if dnsOn(n) {
		return []netip.Addr{gateway}
	}
	var list []netip.Addr
	for _, r := range n.DNS.Forwarders {
		a := r.AddrPort()
		if a.Addr().Is4() == gateway.Is4() && a.Port() == 53 && !a.Addr().IsLoopback() {
			list = append(list, a.Addr())
		}
	}
	return list
}

// domainOf is the network's domain, lower case.
func domainOf(n *spec.Network) string {
	if n.DNS == nil {
		return ""
	}
	return strings.ToLower(n.DNS.Domain)
}

func addressBytes(list []netip.Addr) string {
	var b []byte
	for _, a := range list {
		b = append(b, a.AsSlice()...)
	}
	return string(b)
}

// complete adds what follows from routes. Who understands them ignores the router
// option (RFC 3442), so they need the default route, too; and older Windows knows
// them by a number of its own.
func complete(o options) options {
	routes := o[optRoutes]
	if routes == "" {
		return o
	}
	o = maps.Clone(o)
	if router := o[optRouter]; len(router) >= 4 && !hasDefault(routes) {
		o[optRoutes] = routes + "\x00" + router[:4]
	}
	if _, set := o[optMSRoutes]; !set {
		o[optMSRoutes] = o[optRoutes]
	}
	return o
}

// hasDefault reports whether a route's prefix has no bits. A list that is cut off
// has what there is.
func hasDefault(routes string) bool {
	for routes != "" {
		bits := int(routes[0])
		if bits == 0 {
			return true
		}
		routes = routes[min(len(routes), 1+(bits+7)/8+4):]
	}
	return false
}

// changes are the options that differ from the subnet's for one guest.
func changes(subnet, guest options) []Option {
	if len(guest) == 0 {
		return nil
	}
	own := maps.Clone(subnet)
	maps.Copy(own, guest)
	before, after := complete(subnet), complete(own)
	diff := options{}
	for code, data := range after {
		if data != before[code] {
			diff[code] = data
		}
	}
	for code := range before {
		if after[code] == "" && before[code] != "" {
			diff[code] = ""
		}
	}
	return list(diff)
}

// wire lists the options that are sent.
func wire(o options) []Option {
	o = maps.Clone(o)
	maps.DeleteFunc(o, func(_ uint16, data string) bool { return data == "" })
	return list(o)
}

func list(o options) []Option {
	var l []Option
	for _, code := range slices.Sorted(maps.Keys(o)) {
		l = append(l, Option{code, o[code]})
	}
	return l
}
