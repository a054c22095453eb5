package peers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kvmnet/internal/testhost"
)

// Answer is what dig got.
type Answer struct {
	Status     string   // NOERROR, NXDOMAIN, …
	Flags      []string // qr, aa, tc, rd, ra, ad
	Answer     []Record
	Authority  []Record
	Additional []Record
	UDPSize    int    // of the server's EDNS0, 0 without
	Server     string // that answered, as dig prints it
	TCP        bool   // the answer came over TCP
	Text       string // all that dig printed
}

// Record is one resource record, as in a zone file.
type Record struct {
	Name  string // with its final dot
	TTL   int    // seconds
	Type  string
	Value string
}

// String prints the record without its TTL: "vm1.lab. A 10.9.0.2".
func (r Record) String() string { return r.Name + " " + r.Type + " " + r.Value }

// Values are the values of the answer's records of a type, sorted.
func (a Answer) Values(kind string) (list []string) {
	for _, r := range a.Answer {
		if r.Type == kind {
			list = append(list, r.Value)
		}
	}
	slices.Sort(list)
	return list
}

// Dig asks a server from a host, once and for five seconds: Dig(ctx, t, h,
// server, "vm1.lab", "AAAA", "+tcp"). Anything that dig takes may follow the
// server. Not to be answered is an error; a refusal is an Answer.
func Dig(ctx context.Context, t testing.TB, h *testhost.Host, server netip.Addr, args ...string) (Answer, error) {
	t.Helper()
	Need(t, "dig", "bind9-dnsutils")
	argv := append([]string{"dig", "-r", "+tries=1", "+time=5", "+nocookie", "@" + server.String()}, args...)
	out, err := run(ctx, h, argv...)
	if err != nil {
		return Answer{Text: out}, err
	}
	return parseDig(out)
}

// parseDig reads dig's text, whose sections have titles.
func parseDig(text string) (Answer, error) {
	a := Answer{Text: text}
	var section *[]Record
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, ";; ->>HEADER<<-"):
			a.Status = between(line, "status: ", ",")
		case strings.HasPrefix(line, ";; flags:"):
			a.Flags = strings.Fields(between(line, "flags:", ";"))
		case strings.HasPrefix(line, "; EDNS:"):
			_, size, _ := strings.Cut(line, "udp: ")
			a.UDPSize = number(size)
		case strings.HasPrefix(line, ";; SERVER:"):
			a.Server, a.TCP = strings.TrimPrefix(line, ";; SERVER: "), strings.HasSuffix(line, "(TCP)")
		case strings.HasPrefix(line, ";; ") && strings.HasSuffix(line, " SECTION:"):
			section = map[string]*[]Record{"ANSWER": &a.Answer, "AUTHORITY": &a.Authority, "ADDITIONAL": &a.Additional}[strings.Fields(line)[1]]
		case line == "":
			section = nil
		case section != nil && line[0] != ';':
			r, err := parseRecord(line)
			if err != nil {
				return a, err
			}
			*section = append(*section, r)
		}
	}
	if a.Status == "" {
		return a, fmt.Errorf("read dig's answer: it has no header:\n%s", text)
	}
	return a, nil
}

func parseRecord(line string) (Record, error) {
	f := strings.Fields(line)
	if len(f) < 5 {
		return Record{}, fmt.Errorf("read dig's record %q: it has %d words, want 5 or more", line, len(f))
	}
	ttl, err := strconv.Atoi(f[1])
	return Record{f[0], ttl, f[3], strings.Join(f[4:], " ")}, err
}

// between is the text after one word and before another.
func between(s, after, before string) string {
	_, s, _ = strings.Cut(s, after)
	s, _, _ = strings.Cut(s, before)
	return s
}
