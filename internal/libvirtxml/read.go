package libvirtxml

import (
	"kvmnet/internal/specfile"
	"kvmnet/internal/xmltree"
)

// Document is a document that libvirt takes.
//
// For the other files of this room:
//
//	Read(text)                 the whole of <network>
//	readElement(text, label)   the root of any document, for net-update and ports
//	decoder{network: name}     its methods (decode*.go) take a node and return what
//	                           the model has for it: forward, dns, dhcpHost, …;
//	                           partial takes what net-update takes to find an entry
//	Network.Check()            what libvirt refuses only when it defines a network
//	Network.Format()           the dump; writer (format.go) has one method per element
//	Document.Place(path)       line and column of ip[1]/dhcp/host[0]@mac
//	Document.Notes             what libvirt ignores silently
type Document struct {
	Network *Network
	Notes   []specfile.Problem // without the name of the file

	root  *xmltree.Node
	lines *xmltree.Lines
}

// Read reads a network as libvirt does: in any order, and what it does not know it
// ignores, with a note. An error is an *Error, and says what libvirt says.
func Read(text []byte) (*Document, error) {
	root, l, err := readElement(string(text), networkLabel)
	if err != nil {
		return nil, err
	}
	d := &Document{root: root, lines: l}
	if d.Network, err = decodeNetwork(root); err != nil {
		return nil, located(l, err)
	}
	d.Notes = d.notes()
	return d, nil
}

// readElement reads a document of any kind and returns its root element. The label is
// what libvirt calls a document of the kind.
func readElement(text, label string) (*xmltree.Node, *xmltree.Lines, error) {
	root, l, err := xmltree.Parse(text)
	if err != nil {
		return nil, nil, malformed(label, err)
	}
	return root, l, nil
}
