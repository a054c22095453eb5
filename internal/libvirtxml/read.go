package libvirtxml

import "kvmnet/internal/specfile"

// Document is a document that libvirt takes.
//
// For the other files of this room:
//
//	Read(text)                 the whole of <network>
//	readElement(text)          the root of any document, for net-update and ports
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

	root  *node
	lines *lines
}

// Read reads a network as libvirt does: in any order, and what it does not know it
// ignores, with a note. An error is an *Error, and says what libvirt says.
func Read(text []byte) (*Document, error) {
	root, l, err := scanText(string(text))
	if err != nil {
		return nil, l.located(err)
	}
	d := &Document{root: root, lines: l}
	if d.Network, err = decodeNetwork(root); err != nil {
		return nil, l.located(err)
	}
	d.Notes = d.notes()
	return d, nil
}

// readElement reads a document of any kind and returns its root element.
func readElement(text []byte) (*node, *lines, error) {
	root, l, err := scanText(string(text))
	if err != nil {
		return nil, l, l.located(err)
	}
	return root, l, nil
}

func scanText(text string) (*node, *lines, error) {
	l := newLines(text)
	root, err := (&scanner{text: text, lines: l, spaces: map[string][]string{}}).scan()
	return root, l, err
}
