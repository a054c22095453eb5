package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
)

// routeLibvirt serves the verbs that speak libvirt's XML.
func routeLibvirt(m *http.ServeMux, s Service) {
	m.Handle("GET /v1/networks/{name}/xml", text(func(r *http.Request, name string) (string, error) {
		inactive, err := flag(r, "inactive")
		if err != nil {
			return "", err
		}
		return s.NetworkXML(r.Context(), name, inactive)
	}))
	m.Handle("POST /v1/networks/{name}/update", about(s.UpdateNetwork))
	m.Handle("PUT /v1/networks/{name}/words", about(quiet(s.DescribeNetwork)))
	m.Handle("GET /v1/networks/{name}/metadata", text(func(r *http.Request, name string) (string, error) {
		live, err := flag(r, "live")
		if err != nil {
			return "", err
		}
		config, err := flag(r, "config")
		if err != nil {
			return "", err
		}
		return s.Metadata(r.Context(), name, r.URL.Query().Get("uri"), Copies{Live: live, Config: config})
	}))
	m.Handle("PUT /v1/networks/{name}/metadata", about(quiet(s.SetMetadata)))
	m.Handle("POST /v1/networks/{name}/ports", about(s.AddPortXML))
	m.Handle("POST /v1/networks/{name}/leases", about(func(ctx context.Context, name string, leases []Lease) ([]Lease, error) {
		taken, err := s.ImportLeases(ctx, name, leases)
		return append([]Lease{}, taken...), err
	}))
	m.Handle("GET /v1/subnets/free", call(func(r *http.Request) (any, error) {
		from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 8)
		if err != nil {
			return nil, &Error{Code: CodeInvalid, Message: "read the request: from is a number from 0 to 255"}
		}
		free, err := s.FreeSubnet(r.Context(), byte(from))
		return freeSubnet{free}, err
	}))
	m.Handle("GET /v1/ports/{name}/xml", text(func(r *http.Request, name string) (string, error) {
		return s.PortXML(r.Context(), name)
	}))
}

// freeSubnet is what FreeSubnet answers.
type freeSubnet struct {
	Address netip.Prefix `json:"address"`
}

// about is a verb on the object the path names, with one argument, the body.
func about[In, Out any](f func(context.Context, string, In) (Out, error)) call {
	return func(r *http.Request) (any, error) {
		in, err := decode[In](r)
		if err != nil {
			return nil, err
		}
		return f(r.Context(), r.PathValue("name"), in)
	}
}

// quiet gives a verb that answers nothing an answer that is nothing.
func quiet[In any](f func(context.Context, string, In) error) func(context.Context, string, In) (any, error) {
	return func(ctx context.Context, name string, in In) (any, error) { return nil, f(ctx, name, in) }
}

// text is a verb on the object the path names that answers a text.
func text(f func(r *http.Request, name string) (string, error)) call {
	return func(r *http.Request) (any, error) {
		s, err := f(r, r.PathValue("name"))
		return export{s}, err
	}
}

// flag reads a flag of the query, off when it is not there.
func flag(r *http.Request, name string) (bool, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, &Error{Code: CodeInvalid, Message: "read the request: " + name + " is true or false, not " + strconv.Quote(value)}
	}
	return on, nil
}
