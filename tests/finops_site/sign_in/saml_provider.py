"""An identity provider of SAML in the process, as Entra ID or ADFS is one: it signs what a test has it say.

Its key is made when it is first needed, and is in no file.
"""

import zlib
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import uuid4

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

ENTITY, PAGE, OUT = "https://idp.example/saml", "https://idp.example/sign-in", "https://idp.example/sign-out"
ACS = "http://testserver/accounts/saml/saml/acs/"
US = "https://finops.example/saml"
SAML, SAMLP = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@cache
def key_of(name: str) -> tuple[rsa.RSAPrivateKey, str]:
    """A key and its certificate in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(who, who, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return key, certificate.decode()


def metadata(signer: str = "idp", sso: str = PAGE, slo: str = OUT) -> str:
    text = "".join(key_of(signer)[1].splitlines()[1:-1])
    redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    return f"""<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">
<IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"><KeyDescriptor use="signing">
<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{text}</X509Certificate></X509Data></KeyInfo>
</KeyDescriptor><SingleLogoutService Binding="{redirect}" Location="{slo}"/>
<SingleSignOnService Binding="{redirect}" Location="{sso}"/></IDPSSODescriptor></EntityDescriptor>"""


def request_in(url: str) -> Any:
    """The request that an address of the provider brings, as XML."""
    sent = parse_qs(urlsplit(url).query)["SAMLRequest"][0]
    return etree.fromstring(zlib.decompress(b64decode(sent), -15))


def moment(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class SamlIdp:
    """Says that Kim comes; a test changes what it says, or how it signs."""

    def __init__(self) -> None:
        self.name_id, self.name_id_format = "kim-1", UNSPECIFIED
        self.attributes: dict[str, list[str]] = {"email": ["kim@example.com"], "displayName": ["Kim"], "groups": []}
        self.audience, self.recipient, self.issuer = US, ACS, ENTITY
        self.ends, self.begins = 300, -10
        self.signer, self.signs = "idp", "assertion"
        self.status = "Success"
        self.algorithm = xmlsec.Transform.RSA_SHA256
        # What the signed part answers, where it is not what the rest answers.
        self.in_response_to: str | None = None

    def answer(self, request_id: str) -> str:
        """The form field SAMLResponse for a request; "" where the provider begins."""
        root = etree.fromstring(self._text(request_id).encode())
        if self.signs:
            self._sign(root.find(f"{{{SAML}}}Assertion") if self.signs == "assertion" else root)
        return b64encode(etree.tostring(root)).decode()

    def _text(self, request_id: str) -> str:
        inner = request_id if self.in_response_to is None else self.in_response_to
        outer, inner = (f' InResponseTo="{one}"' if one else "" for one in (request_id, inner))
        values = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in several)
            + "</saml:Attribute>"
            for name, several in self.attributes.items()
        )
        restricted = (
            f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
        )
        return f"""<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{uuid4().hex}" Version="2.0"
 IssueInstant="{moment(0)}" Destination="{ACS}"{outer}><saml:Issuer>{self.issuer}</saml:Issuer><samlp:Status>
<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{self.status}"/></samlp:Status>
<saml:Assertion ID="_{uuid4().hex}" Version="2.0" IssueInstant="{moment(0)}"><saml:Issuer>{self.issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="{self.name_id_format}">{self.name_id}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{moment(self.ends)}" Recipient="{self.recipient}"{inner}/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{moment(self.begins)}" NotOnOrAfter="{moment(self.ends)}">
{restricted if self.audience else ""}</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{moment(0)}" SessionIndex="s1"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>
</saml:AuthnStatement><saml:AttributeStatement>{values}</saml:AttributeStatement></saml:Assertion></samlp:Response>"""

    def _sign(self, element: Any) -> None:
        signature = xmlsec.template.create(element, xmlsec.Transform.EXCL_C14N, self.algorithm, ns="ds")
        element.insert(1, signature)
        part = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri=f"#{element.get('ID')}")
        xmlsec.template.add_transform(part, xmlsec.Transform.ENVELOPED)
        xmlsec.template.add_transform(part, xmlsec.Transform.EXCL_C14N)
        xmlsec.tree.add_ids(element, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(_pem(self.signer), xmlsec.KeyFormat.PEM)
        context.sign(signature)

    def sign_out(self, *, signed: bool = True, made: int = 0) -> str:
        """The query of a request to sign somebody out."""
        text = f"""<samlp:LogoutRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{uuid4().hex}" Version="2.0"
 IssueInstant="{moment(made)}" Destination="{ACS.replace("/acs/", "/sls/")}"><saml:Issuer>{ENTITY}</saml:Issuer>
<saml:NameID Format="{UNSPECIFIED}">{self.name_id}</saml:NameID></samlp:LogoutRequest>"""
        packed = zlib.compressobj(wbits=-15)
        sent = b64encode(packed.compress(text.encode()) + packed.flush()).decode()
        query = urlencode({"SAMLRequest": sent, "RelayState": "there"})
        if not signed:
            return query
        query += "&SigAlg=" + quote(RSA_SHA256, safe="")
        signature = key_of(self.signer)[0].sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{query}&{urlencode({'Signature': b64encode(signature).decode()})}"


def _pem(name: str) -> bytes:
    plain = serialization.NoEncryption()
    return key_of(name)[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
