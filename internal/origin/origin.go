package origin

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"castellan/internal/fault"
)

// Origin is where a request came in, as its client sees it.
type Origin struct {
	// Scheme is http or https.
	Scheme string
	// InstanceHost leads to the instance, perhaps with a port, as it was sent, but in ASCII. Of an ordinary
	// request it is whatever the client has written as Host: it means something only once it has led
	// somewhere.
	InstanceHost string
	// PublicHost is the host that issuers and links carry instead, when a trusted proxy names one; else
	// empty. It must be one of the trusted domains of the instance.
	PublicHost string
}

// Host is what issuers, links and cookies carry, with the port as it was sent.
func (o Origin) Host() string {
	return strings.TrimSuffix(cmp.Or(o.PublicHost, o.InstanceHost), ":")
}

// String is the origin as a URL without a path: scheme://host[:port].
func (o Origin) String() string { return o.Scheme + "://" + o.Host() }

// Issuer is the origin as the issuer of the instance it leads to: its host is in lower case, as clients
// write it in the URLs they compare it with (RFC 3986 section 6.2.2.1).
func (o Origin) Issuer() string { return strings.ToLower(o.String()) }

// Request is what of a request is looked at.
type Request struct {
	// Host is the Host or :authority header.
	Host string
	// Peer is the address the request came from, host:port.
	Peer string
	// TLS says whether that connection is encrypted.
	TLS    bool
	Header http.Header
}

// Resolver finds the origins of requests. One that is nil trusts nobody.
type Resolver struct {
	trusted []netip.Prefix
	secure  bool
}

// NewResolver returns a resolver that trusts the proxies at the addresses of trusted. With secure clients
// reach the system by https, whatever the connection to this process is.
func NewResolver(trusted []netip.Prefix, secure bool) *Resolver {
	return &Resolver{trusted: slices.Clone(trusted), secure: secure}
}

// ParseTrusted reads prefixes of addresses such as 10.1.0.0/16, or single addresses.
func ParseTrusted(prefixes []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range prefixes {
		p, err := netip.ParsePrefix(text)
		if addr, bad := netip.ParseAddr(text); bad == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("must be prefixes such as 10.1.0.0/16, or addresses, not %.100q", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// Of returns the origin of a request as net/http has it, see [Resolver.Resolve].
func (r *Resolver) Of(q *http.Request) (Origin, error) {
	return r.Resolve(Request{Host: q.Host, Peer: q.RemoteAddr, TLS: q.TLS != nil, Header: q.Header})
}

// Resolve returns the origin of a request. Of one that a trusted proxy sends it returns a fault of kind
// InvalidArgument that names the header when one is malformed or contradicts itself.
func (r *Resolver) Resolve(q Request) (Origin, error) {
	o := Origin{Scheme: "http", InstanceHost: ascii(q.Host)}
	if q.TLS {
		o.Scheme = "https"
	}
	if r == nil {
		return o, nil
	}
	if r.trusts(q.Peer) {
		said, err := read(q.Header)
		if err != nil {
			return Origin{}, err
		}
		o.InstanceHost = cmp.Or(said.host, o.InstanceHost)
		o.PublicHost = said.publicHost
		o.Scheme = cmp.Or(said.scheme, o.Scheme)
	}
	if r.secure {
		o.Scheme = "https"
	}
	return o, nil
}

// ascii returns a host with A-labels in place of those in other scripts (RFC 5891). What has none leads
// nowhere, and stays as it is.
func ascii(host string) string {
	if !strings.ContainsFunc(host, func(c rune) bool { return c > '~' }) {
		return host
	}
	name, port, hasPort := strings.Cut(host, ":")
	if a, err := idna.Lookup.ToASCII(name); err == nil {
		if name = a; hasPort {
			return name + ":" + port
		}
		return name
	}
	return host
}

// trusts reports whether a peer is a trusted proxy.
func (r *Resolver) trusts(peer string) bool {
	if len(r.trusted) == 0 {
		return false
	}
	at, err := netip.ParseAddrPort(peer)
	return err == nil && r.trustsAddr(at.Addr().Unmap().WithZone(""))
}

// trustsAddr reports whether an address, without a zone, is one of a trusted proxy.
func (r *Resolver) trustsAddr(addr netip.Addr) bool {
	return slices.ContainsFunc(r.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// said is what a proxy has said of the request of its client; what it has not said is empty.
type said struct{ host, publicHost, scheme string }

// The headers that count, in the form of keys of http.Header.
const (
	instanceHost     = "X-Zitadel-Instance-Host"
	forwarded        = "Forwarded"
	zitadelForwarded = "X-Zitadel-Forwarded"
	forwardedHost    = "X-Forwarded-Host"
	forwardedProto   = "X-Forwarded-Proto"
	publicHost       = "X-Zitadel-Public-Host"
)

// read reads all headers that count. Of each the first that says something counts.
func read(header http.Header) (all said, err error) {
	for _, h := range []struct {
		name string
		read func(value string) (said, error)
	}{
		{instanceHost, func(value string) (s said, err error) {
			s.host, err = oneHost(value)
			return s, err
		}},
		{forwarded, readForwarded},
		{zitadelForwarded, readForwarded},
		{forwardedHost, func(value string) (s said, err error) {
			s.host, err = same(value, parseHost)
			return s, err
		}},
		{forwardedProto, func(value string) (s said, err error) {
			s.scheme, err = same(value, parseScheme)
			return s, err
		}},
		{publicHost, func(value string) (s said, err error) {
			s.publicHost, err = oneHost(value)
			return s, err
		}},
	} {
		s, err := readHeader(header[h.name], h.read)
		if err != nil {
			return said{}, fault.Plain(fault.InvalidArgument, h.name+": "+err.Error()).WithViolation(h.name, err.Error())
		}
		all.host = cmp.Or(all.host, s.host)
		all.publicHost = cmp.Or(all.publicHost, s.publicHost)
		all.scheme = cmp.Or(all.scheme, s.scheme)
	}
	return all, nil
}

// maxHeader is the length of the longest header that is read, in bytes, all its lines together.
const maxHeader = 4096

// Why a header is refused. None repeats what was sent.
var (
	errLong     = fmt.Errorf("must not be longer than %d bytes", maxHeader)
	errConflict = errors.New("must not contradict itself")
	errHost     = errors.New("must be a host, perhaps with a port")
	errScheme   = errors.New("must be http or https")
)

// readHeader reads all lines of a header, which must agree.
func readHeader(lines []string, read func(value string) (said, error)) (all said, err error) {
	length := 0
	for _, line := range lines {
		if length += len(line); length > maxHeader {
			return all, errLong
		}
		s, err := read(line)
		if err == nil {
			all, err = all.and(s)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// and joins what was said twice. Hosts are compared without regard to case.
func (s said) and(t said) (said, error) {
	for _, pair := range [][2]string{{s.host, t.host}, {s.publicHost, t.publicHost}, {s.scheme, t.scheme}} {
		if pair[0] != "" && pair[1] != "" && !strings.EqualFold(pair[0], pair[1]) {
			return said{}, errConflict
		}
	}
	return said{cmp.Or(s.host, t.host), cmp.Or(s.publicHost, t.publicHost), cmp.Or(s.scheme, t.scheme)}, nil
}

// oneHost reads a header that has one host, or is empty.
func oneHost(value string) (string, error) {
	if value = strings.Trim(value, " \t"); value == "" {
		return "", nil
	}
	return parseHost(value)
}

// same reads a header to which each proxy on the way adds, joined by commas. All must say the same.
func same(value string, parse func(string) (string, error)) (string, error) {
	if strings.Trim(value, " \t") == "" {
		return "", nil
	}
	first := ""
	for part := range strings.SplitSeq(value, ",") {
		got, err := parse(strings.Trim(part, " \t"))
		if err != nil {
			return "", err
		}
		if first != "" && !strings.EqualFold(first, got) {
			return "", errConflict
		}
		first = cmp.Or(first, got)
	}
	return first, nil
}

// parseScheme reads the name of a scheme.
func parseScheme(text string) (string, error) {
	switch scheme := strings.ToLower(text); scheme {
	case "http", "https":
		return scheme, nil
	}
	return "", errScheme
}

// maxHost is the length of the longest host in a header, in bytes: a domain name and a port.
const maxHost = 253 + len(":65535")

// parseHost reads a host of ASCII characters, perhaps with a port (RFC 9110 section 7.2): a name, an IPv4
// address, or an IPv6 address in brackets. What the name is a name of is not for here.
func parseHost(text string) (string, error) {
	if text == "" || len(text) > maxHost {
		return "", errHost
	}
	name, port, hasPort := strings.Cut(text, ":")
	isName := name != "" && !strings.ContainsFunc(name, func(c rune) bool { return !isNameChar(c) })
	if strings.HasPrefix(text, "[") {
		port, hasPort, isName = afterAddress(text[1:])
	}
	if !isName || hasPort && !isPort(port) {
		return "", errHost
	}
	return text, nil
}

// afterAddress returns the port that follows an IPv6 address and its closing bracket. ok is false when
// text is no such address, or something else follows.
func afterAddress(text string) (port string, hasPort, ok bool) {
	address, port, closed := strings.Cut(text, "]")
	addr, err := netip.ParseAddr(address)
	if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false, false
	}
	port, hasPort = strings.CutPrefix(port, ":")
	return port, hasPort, hasPort || port == ""
}

// isNameChar reports whether a host name may have a character.
func isNameChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// isPort reports whether text is the number of a port, 1 to 65535, without leading zeros.
func isPort(text string) bool {
	if len(text) == 0 || len(text) > 5 || text[0] == '0' {
		return false
	}
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}
