"""LinkedIn's Connections.csv, as downloaded, unpacked or saved again by Excel."""

from mcp_enrichment.service.sources.exports.column_map import ColumnMap, EmailColumn, signatures

_EMAILS = (
    *("email address", "emailaddress", "e-mail-adresse", "adresse e-mail", "adresse email"),
    *("dirección de correo electrónico", "correo electrónico", "indirizzo e-mail"),
    *("indirizzo email", "endereço de e-mail", "endereço de email", "e-mailadres"),
)
_FIRST_NAMES = ("first name", "firstname", "vorname", "prénom", "nombre", "nome", "voornaam")
_CONNECTED_ON = (
    *("connected on", "connectedon", "verbunden am", "date de connexion", "connecté le"),
    *("conectado el", "fecha de conexión", "collegato il", "data di collegamento"),
    *("conectado em", "conectou-se em", "connectie gemaakt op"),
)

# Older exports have no URL, and people delete other columns. By all three, whatever the language.
LINKEDIN = ColumnMap(
    name="linkedin",
    signatures=signatures(
        *(
            {first, email, connected}
            for first in _FIRST_NAMES
            for email in _EMAILS
            for connected in _CONNECTED_ON
        )
    ),
    profiles=("url",),
    emails=tuple(map(EmailColumn, _EMAILS)),
    first_name=_FIRST_NAMES,
    last_name=(
        *("last name", "lastname", "nachname", "nom", "apellidos", "apellido", "cognome"),
        *("sobrenome", "apelido", "achternaam"),
    ),
    full_name=(),
    company=("company", "unternehmen", "entreprise", "empresa", "azienda", "bedrijf"),
    position=("position", "poste", "cargo", "posición", "puesto", "posizione", "functie"),
    connected_on=_CONNECTED_ON,
)
