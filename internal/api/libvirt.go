package api

// DefineRequest asks to define the one network, or the port, of a file. It is YAML
// or libvirt's XML: what begins with < is XML.
type DefineRequest struct {
	File
	Transient bool `json:"transient,omitempty"` // not kept on disk, and started at once
	Strict    bool `json:"strict,omitempty"`    // refuse a file that says something in vain; virsh's --validate
	DryRun    bool `json:"dryRun,omitempty"`    // only tell what would be defined
	XML       bool `json:"xml,omitempty"`       // it is XML, whatever it begins with
}

// Defined is a network that was defined, and what its file says in vain.
type Defined struct {
	Network
	Notes []Problem `json:"notes,omitempty"`
}

// Copies chooses which copies of a network are meant: the running one, the
// definition, or both. With neither it is the running one, of a network that does
// not run the definition.
type Copies struct {
	Live   bool `json:"live,omitempty"`
	Config bool `json:"config,omitempty"`
}

// NetworkUpdate asks to change one section of a network, as virsh net-update does.
type NetworkUpdate struct {
	Copies
	Command string `json:"command"`          // add-first, add-last, delete or modify
	Section string `json:"section"`          // ip-dhcp-host, dns-txt, …
	Parent  int    `json:"parent"`           // which <ip>, from 0; -1 = the one that fits
	XML     string `json:"xml"`              // the element
	DryRun  bool   `json:"dryRun,omitempty"` // only tell what would change
}

// Updated tells what an update changed.
type Updated struct {
	Copies
	Ops []string `json:"ops,omitempty"` // kernel changes, in order, as lines
}

// NetworkWords asks to change what people read of a network; nil = as it is.
type NetworkWords struct {
	Copies
	Title       *string `json:"title,omitempty"`
	Description *string `json:"description,omitempty"`
}

// MetadataChange asks to put an element into the metadata of a network, in the
// place of the one that has the same namespace.
type MetadataChange struct {
	Copies
	URI string  `json:"uri"`
	Key string  `json:"key,omitempty"` // prefix for the namespace, when it is set
	XML *string `json:"xml,omitempty"` // nil = take it out
}

// Reasons of errors, for those who say it in other words. Where a network that is
// defined by XML is refused because of another one, and where a reason below says so,
// Message is what libvirt says, word for word.
const (
	ReasonNoNetwork     = "no-network"       // no network of that name or UUID
	ReasonActive        = "network-active"   // it runs
	ReasonInactive      = "network-inactive" // it does not run
	ReasonTransient     = "network-transient"
	ReasonNameTaken     = "name-taken"   // another network has the name, and another UUID
	ReasonUUIDTaken     = "uuid-taken"   // another network has the UUID, or the same one runs already
	ReasonBridgeTaken   = "bridge-taken" // another network has the bridge
	ReasonXML           = "xml"          // Message is what libvirt would say of the XML, word for word
	ReasonUnsupported   = "unsupported"
	ReasonNoPort        = "no-port"
	ReasonNoMetadata    = "no-metadata"
	ReasonSubnetInUse   = "subnet-in-use" // Message names the interface
	ReasonBadUpdate     = "bad-update"    // Message is what libvirt would say, word for word
	ReasonNotPersistent = "not-persistent"
)
