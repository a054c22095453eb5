package libvirtxml

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/xmltree"
)

// Whatever has no effect is told, with its place and what may have been meant.
func TestIgnoredPartsAreTold(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"<bridg name='x'/>":                   "1:27: <bridg> is ignored: <network> has no element of this name\nhint: did you mean <bridge>?",
		"<Bridge name='x'/>":                  "1:27: <Bridge> is ignored: <network> has no element of this name\nhint: did you mean <bridge>?",
		"<dhcp/>":                             "1:27: <dhcp> is ignored: <network> has no element of this name\nhint: it belongs inside <ip>",
		"<lease/>":                            "1:27: <lease> is ignored: <network> has no element of this name\nhint: it belongs inside <host> or <range>",
		"<stp/>":                              "1:27: <stp> is ignored: <network> has no element of this name",
		"<dns><enable>no</enable></dns>":      "1:32: <enable> is ignored: <dns> has no element of this name\nhint: it is an attribute: <dns enable='…'>",
		"<dns enabled='no'/>":                 "1:32: the attribute enabled is ignored: <dns> has none of this name\nhint: did you mean enable?",
		"<bridge name='x' forwardDelay='0'/>": "1:44: the attribute forwardDelay is ignored: <bridge> has none of this name\nhint: did you mean delay?",
		"<dns><host ip='1.2.3.4' hostname='x'><hostname>y</hostname></host></dns>": "1:51: the attribute hostname is ignored: <host> has none of this name",
		"<ip address='10.0.0.1' start='x'/>":                                       "1:50: the attribute start is ignored: <ip> has none of this name",
		"<ip address='10.0.0.1'><dhcp start='x'/></ip>":                            "1:56: the attribute start is ignored: <dhcp> has none of this name\nhint: it belongs to <range>, inside <dhcp>",
		"<forward mode='nat'><nat dev='e'/></forward><ip address='10.0.0.1'/>":     "1:52: the attribute dev is ignored: <nat> has none of this name\nhint: it belongs to <forward>",
		"<bridge name='x'/>\n  <bridge name='y'/>":                                 "2:3: a second <bridge> is ignored, the first one is at line 1\nhint: remove one of them",
		"# note\n":                                                                              "1:27: the text \"# note\" inside <network> is ignored\nhint: a comment is written <!-- so -->",
		"<dns>\n ** x\n y **\n</dns>":                                                           "2:2: the text \"** x y **\" inside <dns> is ignored",
		"<x:dns xmlns:x='u'/>":                                                                  "1:27: <x:dns> is ignored: its namespace u is not libvirt's\nhint: inside <metadata> it is kept",
		"<bridge name='x' k:name='y' xmlns:k='u'/>":                                             "1:44: the attribute k:name of <bridge> is in the namespace u, which is not libvirt's",
		"<dnsmasq:options/>":                                                                    "1:27: <dnsmasq:options> is ignored: nothing declares the prefix dnsmasq\nhint: write <network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>",
		"<d:options xmlns:d='" + dnsmasqSpace + "0'/>":                                          "1:27: <d:options> is ignored: its namespace http://libvirt.org/schemas/network/dnsmasq/1.00 is not libvirt's\nhint: that of dnsmasq is http://libvirt.org/schemas/network/dnsmasq/1.0",
		"<d:options xmlns:d='" + dnsmasqSpace + "'><d:x/></d:options>":                          "1:95: <d:x> is ignored inside <d:options>\nhint: write <d:option value='…'/>",
		"<dns><d:options xmlns:d='" + dnsmasqSpace + "'/></dns>":                                "1:32: <d:options> is ignored inside <dns>\nhint: it belongs directly inside <network>",
		"<metadata>x<a/><k:b xmlns:k='u'/><j:c xmlns:j='u'/></metadata>":                        "1:37: text in <metadata> is not kept;1:38: <a> in <metadata> is not kept: it has no namespace\nhint: write <a xmlns='…'>;1:60: <j:c> in <metadata> is not kept: there is an element of the namespace u already\nhint: put both into one element",
		"<metadata a='1'><k:b xmlns:k='u'><any/></k:b></metadata>":                              "1:37: the attribute a in <metadata> is not kept",
		"<title>a\nb</title>":                                                                   "1:27: the title is ignored: it has more than one line\nhint: put the rest into <description>",
		"<mac address='00:00:00:00:00:00'/>":                                                    "1:41: the address of zeros counts as none, another is made up",
		"<domain localOnly='yes'/>":                                                             "1:27: <domain> is ignored: it has no name",
		"<domain name='x' register='yes'/>":                                                     "1:54: register='yes' is ignored: it needs localOnly='yes'\nhint: add localOnly='yes'",
		"<domain name='x' register='on'/>":                                                      "1:54: register='on' is ignored\nhint: write yes or no",
		"<bridge name='x' stp='no'/>":                                                           "1:49: stp='no' means on\nhint: write on or off",
		"<portgroup name='x' default='true'/>":                                                  "1:56: default='true' means no\nhint: write yes or no",
		"<portgroup name='x'><port isolated='yes'/></portgroup>":                                "1:47: <port> is ignored: <portgroup> has no element of this name\nhint: it belongs inside <nat> or <network>",
		"<forward mode='none' dev='e'/>":                                                        "1:27: mode='none' makes no use of devices\nhint: remove <forward> for an isolated network",
		"<forward mode='vepa' managed='yes'><interface dev='e'/><pf dev='f'/></forward>":        "1:48: managed is ignored: it is for mode hostdev;1:82: <pf> is ignored: devices are listed by <interface> already",
		"<ip address='10.0.0.1' prefix='0'/>":                                                   "1:58: prefix='0' counts as none: the subnet is that of the address's class\nhint: write the number of bits of the subnet",
		"<ip address='10.0.0.1'><tftp/></ip>":                                                   "1:50: <tftp> is ignored: it has no root\nhint: write <tftp root='/srv/tftp'/>",
		"<ip address='10.0.0.1'><dhcp><bootp file='x'/></dhcp></ip>":                            "1:56: <bootp> has no effect: nobody gets an address here\nhint: add a <range>",
		"<ip address='10.0.0.1'><dhcp><bootp server='10.0.0.2'/></dhcp></ip>":                   "1:56: <bootp> is ignored: it names no file\nhint: write <bootp file='pxelinux.0'/>",
		"<ip address='fd00::1' family='ipv6'><dhcp><bootp file='x'/></dhcp></ip>":               "1:69: <bootp> is ignored: it is for IPv4",
		"<ip address='10.0.0.1'><dhcp><host name='x' ip='10.0.0.2'><lease/></host></dhcp></ip>": "1:85: <lease> is ignored: it has no expiry\nhint: write <lease expiry='…'/>",
	} {
		if got := notesOn(t, document); got != want {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", document, got, want)
		}
	}
}

// notesOn are the notes on a network that has a document inside.
func notesOn(t *testing.T, inside string) string {
	t.Helper()
	d, err := Read([]byte("<network><name>a</name>" + "   " + inside + "</network>"))
	if err != nil {
		t.Fatalf("%s: %v", inside, err)
	}
	var notes []string
	for _, p := range d.Notes {
		note := fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message)
		if p.Hint != "" {
			note += "\nhint: " + p.Hint
		}
		notes = append(notes, note)
	}
	return strings.Join(notes, ";")
}

// What is as it should be is not told of: comments, an attribute of live dumps, and
// everything that libvirt 9.0 and later knows.
func TestNothingIsToldOfWhatIsInOrder(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"", "<!-- x --><?pi y?>", "\n\t <dns/>\r\n", "<title>x</title><description>y\nz</description>",
		"<forward mode='bridge'><interface dev='e' connections='2'/></forward>",
		"<forward mode='hostdev' managed='yes'><driver name='vfio' model='m'/><pf dev='f' connections='1'/></forward>",
		"<dns><forwarder addr='1.1.1.1' port='53'/></dns>", "<domain name='x' localOnly='yes' register='yes'/>",
		"<bandwidth><inbound average='1' peak='2' burst='3'/><outbound average='1'/></bandwidth>",
		"<metadata><k:x xmlns:k='u' k:y='1'><z>text</z> text</k:x></metadata>",
		"<description xml:lang='en'>b</description>",
	} {
		if got := notesOn(t, document); got != "" {
			t.Errorf("%s: %s", document, got)
		}
	}
}

// A document of nothing but mistakes does not fill the screen.
func TestNotesHaveAnEnd(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte("<network><name>a</name>" + strings.Repeat("<x/>", 5000) + "</network>"))
	if err != nil || len(d.Notes) != mostNotes {
		t.Errorf("%d notes: %v", len(d.Notes), err)
	}
}

// Every element that the reader knows can be reached from <network>, and has a rule.
func TestRulesAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"network": true}
	var walk func(key string, n *xmltree.Node)
	walk = func(key string, n *xmltree.Node) {
		for _, name := range rules[key].inside() {
			c := &xmltree.Node{Name: name, Parent: n}
			key := name
			if _, has := rules[n.Name+"/"+name]; has {
				key = n.Name + "/" + name
			}
			if _, has := rules[key]; !has {
				t.Errorf("<%s> inside <%s> has no rule", name, n.Name)
			}
			if !seen[key] {
				seen[key] = true
				walk(key, c)
			}
		}
	}
	walk("network", &xmltree.Node{Name: "network"})
	for key := range rules {
		if !seen[key] {
			t.Errorf("the rule %s is for no element", key)
		}
	}
}

// Places are found by the path of an element or an attribute, or of what is around it.
func TestPlacesAreFoundByPath(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte("<network>\n <name>a</name>\n <ip address='10.0.0.1'/>\n <ip address='10.0.1.1'>\n  <dhcp>\n   <host name='x' ip='10.0.1.2'/>\n   <host name='xé' ip='10.0.1.3'/>\n  </dhcp>\n </ip>\n</network>"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "1:1", "@ipv6": "1:1", "name": "2:2", "name[0]": "2:2", "name[1]": "1:1", "ip": "3:2", "ip[1]": "4:2", "ip[1]@address": "4:6",
		"ip[1]/dhcp/host[1]": "7:4", "ip[1]/dhcp/host[1]@ip": "7:20", "ip[1]/dhcp/host[2]@ip": "5:3", "ip[1]/dhcp/host[1]@mac": "7:4",
		"ip[0]/dhcp[0]/host[0]@ip": "3:2", "ip[-1]": "1:1", "ip[x]": "3:2", "route[0]/x/y@z": "1:1",
	} {
		line, column := d.Place(path)
		if got := fmt.Sprintf("%d:%d", line, column); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}
