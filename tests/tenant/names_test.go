package tenant_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is the name system of the nodes in this process, in which there are TXT records alone.
type nameServer struct {
	mu  sync.Mutex
	txt map[string]string
}

var names nameServer

// serve has all lookups of the process answered here. It is called before any node is started.
func (s *nameServer) serve() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			for s.answer(ours) == nil {
			}
		}()
		return theirs, nil
	}}
}

// set gives a name a TXT record; an empty one takes it away.
func (s *nameServer) set(name, record string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.txt == nil {
		s.txt = make(map[string]string)
	}
	s.txt[name+"."] = record
}

// answer answers one question (RFC 1035 section 4), as over TCP with its length in front. The error says that
// there are no more.
func (s *nameServer) answer(conn io.ReadWriter) error {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	asked := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, asked); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(asked); err != nil {
		return err
	}
	m.Response, m.RCode, m.Additionals = true, dnsmessage.RCodeNameError, nil
	s.mu.Lock()
	record := s.txt[m.Questions[0].Name.String()]
	s.mu.Unlock()
	if record != "" && m.Questions[0].Type == dnsmessage.TypeTXT {
		m.RCode = dnsmessage.RCodeSuccess
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.TXTResource{TXT: []string{record}},
		}}
	}
	told, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(told))), told...))
	return err
}
