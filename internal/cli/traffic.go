package cli

import (
	"strings"

	"kvmnet/internal/spec"
)

// A kind of connections on the command line is PROTOCOL, PROTOCOL/PORTS or PORTS,
// with @ADDRESSES behind it where it is those to certain addresses: tcp/80,443,
// icmp, 5432, udp/53@10.0.0.53. "all" is every kind.

// protocols are those that policies know.
var protocols = []spec.Protocol{spec.TCP, spec.UDP, spec.SCTP, spec.ICMP}

func protocolOf(word string) spec.Protocol {
	for _, p := range protocols {
		if word == string(p) {
			return p
		}
	}
	return ""
}

// parseTraffic reads a kind of connections.
func parseTraffic(text string) (spec.Traffic, error) {
	what, to, limited := strings.Cut(text, "@")
	t := spec.Traffic{To: spec.Prefixes(to)}
	if _, err := t.To.List(); err != nil || limited && to == "" {
		return t, usagef("%q: behind @ stand addresses or prefixes, such as 10.0.0.0/8", text)
	}
	if what == "all" {
		return t, nil
	}
	before, ports, both := strings.Cut(what, "/")
	if t.Protocol = protocolOf(before); t.Protocol == "" {
		if both || !startsWithDigit(before) {
			return t, wrongProtocol(text, before)
		}
		ports = before
	}
	t.Ports = spec.PortRanges(ports)
	if _, err := t.Ports.List(); err != nil {
		return t, usage(err.Error())
	}
	if both && ports == "" || t.Protocol == spec.ICMP && ports != "" {
		return t, usagef("%q: write tcp/80, udp/2000-2999, icmp, 443 or all", text)
	}
	return t, nil
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

func wrongProtocol(text, word string) error {
	var known []string
	for _, p := range protocols {
		known = append(known, string(p))
	}
	if near := spec.Nearest(word, known); near != "" {
		return usagef("%q: there is no protocol %q; did you mean %s?", text, word, near)
	}
	return usagef("%q: there is no protocol %q; write tcp/80, udp/2000-2999, icmp, 443 or all", text, word)
}

// trafficText prints a kind of connections as parseTraffic reads it.
func trafficText(t spec.Traffic) string {
	words := []string{}
	if t.Protocol != "" {
		words = append(words, string(t.Protocol))
	}
	if t.Ports != "" {
		words = append(words, strings.ReplaceAll(string(t.Ports), " ", ""))
	}
	text := strings.Join(words, "/")
	if text == "" {
		text = "all"
	}
	if t.To != "" {
		text += "@" + strings.ReplaceAll(string(t.To), " ", "")
	}
	return text
}
