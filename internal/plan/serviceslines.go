package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Lines prints the service in lines in the manner of ip, sorted. Services that
// differ in what they say print different lines; the order of lists that have none
// does not count.
func (s Service) Lines() []string {
	p := &printer{on: s.Bridge}
	if s.NS != "" {
		p.netns = "netns " + s.NS + " "
	}
	what := "serve"
	if s.Watch {
		what = "watch"
	}
	device := s.Device
	if device == s.Bridge {
		device = ""
	}
	p.line(what, "network "+s.Network, field("device", device), field("mac", s.MAC.String()), flag("guarded", s.Guarded))
	for _, other := range s.Joins {
		p.line("join", other)
	}
	for link, port := range s.Ports {
		p.line("port", link, port)
	}
	for _, subnet := range s.Subnets {
		p.line("subnet", subnet.String())
	}
	p.dhcp("dhcp4", s.DHCP4)
	p.dhcp("dhcp6", s.DHCP6)
	p.ra(s.RA)
	p.dns(s.DNS)
	for _, t := range s.TFTP {
		p.line("tftp", t.Listen.String(), quote(t.Dir))
	}
	slices.Sort(p.lines)
	return p.lines
}

func (p *printer) dhcp(what string, d *DHCP) {
	if d == nil {
		return
	}
	p.line(what, "limits", number("port", d.PerPort), number("rate", d.Rate), flag("drop-with-port", d.DropWithPort))
	for _, s := range d.Scopes {
		p.scope(what, s)
	}
}

func (p *printer) scope(what string, s Scope) {
	prefix := s.Prefix.String()
	ranges := ""
	for _, r := range s.Ranges {
		ranges += " range " + r.From.String() + "-" + r.To.String()
		if r.Lease != s.Lease {
			ranges += " for " + r.Lease.String()
		}
	}
	p.line(what, prefix, field("server", addrText(s.Server)), flag("far", s.Far), strings.TrimPrefix(ranges, " "), field("lease", s.Lease.String()),
		field("domain", s.Domain), words("exclude", s.Excluded), words("relay", s.Relays))
	for _, o := range s.Options {
		p.line(what, prefix, o.String())
	}
	p.boot(what, prefix, s.Boot)
	for _, r := range s.Reservations {
		lease := ""
		if r.Lease != s.Lease {
			lease = field("lease", r.Lease.String())
		}
		p.line(what, "host", quoteName(r.Name), r.MAC.String(), field("client", hexText(r.ClientID)), flag("by-name", r.ByName),
			addrText(r.Addr), lease, words("", r.Options), field("in", prefix))
	}
}

// String prints the option's number and bytes.
func (o Option) String() string {
	if o.Data == "" {
		return fmt.Sprintf("option %d none", o.Code)
	}
	return fmt.Sprintf("option %d %x", o.Code, o.Data)
}

func (p *printer) boot(what, prefix string, b *Boot) {
	if b == nil {
		return
	}
	p.line(what, prefix, "boot", field("server", addrText(b.Server)), field("name", b.Name), field("file", quote(b.File)))
	for client, file := range b.Files {
		p.line(what, prefix, "boot", client, fmt.Sprintf("%q", file))
	}
}

func (p *printer) ra(ra *RA) {
	if ra == nil {
		return
	}
	p.line("ra", field("interval", ra.Interval.String()), field("lifetime", ra.Lifetime.String()), field("preference", ra.Preference),
		number("hop-limit", ra.HopLimit), flag("managed", ra.Managed), flag("other", ra.Other), number("mtu", ra.MTU))
	for _, x := range ra.Prefixes {
		p.line("ra", x.Prefix.String(), flag("autonomous", x.Autonomous), field("valid", x.Valid.String()), field("preferred", x.Preferred.String()))
	}
	for _, r := range ra.Routes {
		p.line("ra", "route "+r.To.String(), field("lifetime", r.Lifetime.String()), field("preference", r.Preference))
	}
	for _, a := range ra.DNS {
		p.line("ra", "dns", a.String())
	}
	for _, domain := range ra.Search {
		p.line("ra", "search", domain)
	}
}

func (p *printer) dns(d *DNS) {
	if d == nil {
		return
	}
	for _, a := range d.Listen {
		p.line("dns", netip.AddrPortFrom(a, 53).String(), field("domain", d.Domain))
	}
	p.line("dns", "settings", field("domain", d.Domain), flag("local-only", d.LocalOnly), flag("shared", d.Shared), flag("register", d.Register),
		flag("alone", d.Alone), flag("forward-plain", d.ForwardPlain), flag("forward-back", d.ForwardBack), field("ttl", d.TTL.String()), number("cache", d.Cache), number("rate", d.Rate))
	for _, x := range d.Allowed {
		p.line("dns", "allow", x.String())
	}
	for _, x := range d.Reverse {
		p.line("dns", "reverse", x.String())
	}
	p.records(d)
	for _, r := range d.Forwarders {
		p.line("dns", "forward to", r.String())
	}
	for domain, resolvers := range d.Domains {
		if len(resolvers) == 0 {
			p.line("dns", "forward", domain, "nowhere")
		}
		for _, r := range resolvers {
			to := r.String()
			if r == DefaultServers {
				to = "default"
			}
			p.line("dns", "forward", domain, "to", to)
		}
	}
}

func (p *printer) records(d *DNS) {
	for name, list := range d.Names {
		p.line("dns", "name", quoteName(name), words("", list))
	}
	for alias, name := range d.Aliases {
		p.line("dns", "alias", quoteName(alias), quoteName(name))
	}
	for name, text := range d.TXT {
		p.line("dns", "txt", quoteName(name), fmt.Sprintf("%q", text))
	}
	for _, r := range d.SRV {
		p.line("dns", "srv", r.Name, number("priority", r.Priority), number("weight", r.Weight), number("port", r.Port), r.Target)
	}
	for _, r := range d.MX {
		p.line("dns", "mx", r.Name, number("preference", r.Preference), r.Host)
	}
}
