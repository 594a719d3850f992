package app

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"castellan/internal/fault"
)

// SAMLMetadata is what describes a service provider: a document, or the URL where there is one.
type SAMLMetadata struct {
	// EntityID is the name of the service provider, out of the document; empty when there is only a URL,
	// whose document has not been fetched.
	EntityID string `json:"entityId"`
	Metadata []byte `json:"metadata,omitempty"` // XML, as it was sent
	URL      string `json:"metadata_url,omitempty"`
}

// SAMLConfig is how an application takes part in SAML 2.0.
type SAMLConfig struct {
	SAMLMetadata
	Login
}

// Limits of metadata (contract messages.tsv).
const (
	// MaxMetadata is how many bytes a document has at most.
	MaxMetadata = 500_000
	// maxDepth is how deep its elements are nested at most; SAML needs about ten.
	maxDepth = 100
)

// The answers to metadata that is of no use, of a new application and of a change.
var (
	noMetadata      = fault.New(fault.InvalidArgument, "SAML-wmqlo1", "Errors.Project.App.SAMLMetadataMissing")
	badMetadata     = fault.New(fault.InvalidArgument, "SAML-bquso", "Errors.Project.App.SAMLMetadataFormat")
	badMetadataLate = fault.New(fault.InvalidArgument, "SAML-3fk2b", "Errors.Project.App.SAMLMetadataFormat")
)

// The names of fields of a request, with which violations say what they are about.
const (
	fieldXML = "saml_configuration.metadata_xml"
	fieldURL = "saml_configuration.metadata_url"
)

// document returns the metadata of a document or a URL, exactly one of which is given. It returns bad,
// naming the field, when it is not well-formed.
func document(document []byte, url string, bad *fault.Error) (SAMLMetadata, error) {
	if url = strings.TrimSpace(url); url != "" {
		if rule := checkWeb(url); rule != "" {
			return SAMLMetadata{}, bad.WithViolation(fieldURL, rule)
		}
		return SAMLMetadata{URL: url}, nil
	}
	id, err := ParseMetadata(document)
	if err != nil {
		return SAMLMetadata{}, bad.WithViolation(fieldXML, "must be the SAML 2.0 metadata of an entity: "+err.Error())
	}
	return SAMLMetadata{EntityID: id, Metadata: document}, nil
}

// ParseMetadata checks that a document is the metadata of one entity (SAML 2.0 Metadata, section 2.3.2),
// and returns its entity id. It reads no other document, expands no entity of the document's own, and
// refuses a document type, more than [MaxMetadata] bytes and elements nested deeper than a hundred; the
// error says what is wrong in words that are safe to show.
func ParseMetadata(document []byte) (entityID string, err error) {
	if len(document) > MaxMetadata {
		return "", fmt.Errorf("it has more than %d bytes", MaxMetadata)
	}
	d := xml.NewDecoder(bytes.NewReader(document))
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", errors.New("it is not well-formed XML in UTF-8")
		}
		switch t := token.(type) {
		case xml.Directive:
			return "", errors.New("it has a document type")
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return "", fmt.Errorf("its elements are nested deeper than %d", maxDepth)
			}
			if depth > 1 {
				continue
			}
			if entityID, err = entityOf(t, entityID); err != nil {
				return "", err
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return "", errors.New("it has text outside of its element")
			}
		}
	}
	if entityID == "" {
		return "", errors.New("it is empty")
	}
	return entityID, nil
}

// maxEntityID is the length of an entity id (SAML 2.0 Core, section 8.3.6).
const maxEntityID = 1024

// entityOf returns the entity id of the outermost element. before is that of another one, which no
// document has.
func entityOf(element xml.StartElement, before string) (string, error) {
	const namespace = "urn:oasis:names:tc:SAML:2.0:metadata"
	if before != "" || element.Name != (xml.Name{Space: namespace, Local: "EntityDescriptor"}) {
		return "", errors.New("its element is not one EntityDescriptor")
	}
	for _, a := range element.Attr {
		if a.Name == (xml.Name{Local: "entityID"}) && a.Value != "" && len(a.Value) <= maxEntityID && !strings.ContainsRune(a.Value, 0) {
			return a.Value, nil
		}
	}
	return "", fmt.Errorf("its EntityDescriptor has no entityID of up to %d bytes", maxEntityID)
}
