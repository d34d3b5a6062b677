// File names for attachments that have none, by media type (RFC 6838).

import Wire

/// What a nameless attachment is called.
enum MediaExtension {
    /// The name that programs of this type expect (RFC 6047 2.4, RFC 8551 3.2.1); nil when a number
    /// and an extension do.
    /// - Parameter mediaType: "text/calendar", lower case.
    static func wholeName(_ mediaType: [UInt8]) -> StaticString? {
        switch String(decoding: mediaType, as: UTF8.self) {
        case "text/calendar", "text/x-vcalendar", "application/ics": "invite.ics"
        case "application/pkcs7-mime", "application/x-pkcs7-mime": "smime.p7m"
        case "application/pkcs7-signature", "application/x-pkcs7-signature": "smime.p7s"
        default: nil
        }
    }

    /// The usual extension of a media type: that of its IANA registration, where it has one.
    /// - Parameter mediaType: "application/pdf", lower case.
    /// - Returns: the extension without its dot; "bin" for what is not in the table.
    static func of(_ mediaType: [UInt8]) -> StaticString {
        let index = mediaType.firstIndex(of: 0x2F) ?? mediaType.endIndex
        let type = String(decoding: mediaType[..<index], as: UTF8.self)
        let subtype = String(decoding: mediaType[index...].dropFirst(), as: UTF8.self)
        switch type {
        case "text": return text(subtype)
        case "image": return image(subtype)
        case "audio", "video": return timed(subtype, isAudio: type == "audio")
        case "font": return font(subtype)
        case "message":
            return subtype == "rfc822" || subtype == "global" ? "eml" : "txt"
        default: return office(subtype) ?? application(subtype)
        }
    }

    private static func text(_ subtype: String) -> StaticString {
        switch subtype {
        case "html", "x-amp-html", "watch-html": "html"
        case "calendar", "x-vcalendar": "ics"
        case "csv", "comma-separated-values", "x-csv": "csv"
        case "tab-separated-values": "tsv"
        case "css": "css"
        case "javascript", "ecmascript": "js"
        case "markdown", "x-markdown": "md"
        case "rtf", "richtext": "rtf"
        case "enriched": "txt"
        case "vcard", "x-vcard", "directory": "vcf"
        case "xml": "xml"
        case "json": "json"
        case "yaml", "x-yaml": "yaml"
        case "x-patch", "x-diff": "patch"
        case "x-python": "py"
        case "x-sh", "x-shellscript": "sh"
        case "x-log": "log"
        case "x-tex": "tex"
        default: "txt"
        }
    }

    private static func image(_ subtype: String) -> StaticString {
        switch subtype {
        case "jpeg", "jpg", "pjpeg": "jpg"
        case "png", "x-png", "apng": "png"
        case "gif": "gif"
        case "svg+xml", "svg": "svg"
        case "webp": "webp"
        case "avif": "avif"
        case "heic", "heic-sequence": "heic"
        case "heif": "heif"
        case "jp2": "jp2"
        case "tiff", "tif": "tiff"
        case "bmp", "x-bmp", "x-ms-bmp": "bmp"
        case "x-icon", "vnd.microsoft.icon": "ico"
        case "vnd.adobe.photoshop", "x-photoshop": "psd"
        case "emf", "x-emf": "emf"
        case "wmf", "x-wmf": "wmf"
        case "vnd.dxf": "dxf"
        default: "bin"
        }
    }

    private static func timed(_ subtype: String, isAudio: Bool) -> StaticString {
        switch subtype {
        case "mpeg": isAudio ? "mp3" : "mpeg"
        case "mp3", "x-mp3": "mp3"
        case "mp4": isAudio ? "m4a" : "mp4"
        case "m4a", "x-m4a": "m4a"
        case "x-m4v": "m4v"
        case "aac": "aac"
        case "flac", "x-flac": "flac"
        case "wav", "x-wav", "vnd.wave", "wave": "wav"
        case "ogg": isAudio ? "ogg" : "ogv"
        case "opus": "opus"
        case "webm": isAudio ? "weba" : "webm"
        case "amr": "amr"
        case "midi", "x-midi": "mid"
        case "x-ms-wma": "wma"
        case "x-ms-wmv": "wmv"
        case "quicktime": "mov"
        case "x-msvideo": "avi"
        case "x-matroska": isAudio ? "mka" : "mkv"
        case "3gpp": "3gp"
        default: "bin"
        }
    }

    private static func font(_ subtype: String) -> StaticString {
        switch subtype {
        case "ttf": "ttf"
        case "otf": "otf"
        case "woff": "woff"
        case "woff2": "woff2"
        default: "bin"
        }
    }

    private static func office(_ subtype: String) -> StaticString? {
        switch subtype {
        case "msword", "vnd.ms-word": "doc"
        case "vnd.ms-excel", "msexcel", "x-msexcel": "xls"
        case "vnd.ms-powerpoint", "mspowerpoint": "ppt"
        case "vnd.ms-word.document.macroenabled.12": "docm"
        case "vnd.ms-excel.sheet.macroenabled.12": "xlsm"
        case "vnd.ms-excel.sheet.binary.macroenabled.12": "xlsb"
        case "vnd.ms-powerpoint.presentation.macroenabled.12": "pptm"
        case "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx"
        case "vnd.openxmlformats-officedocument.wordprocessingml.template": "dotx"
        case "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx"
        case "vnd.openxmlformats-officedocument.spreadsheetml.template": "xltx"
        case "vnd.openxmlformats-officedocument.presentationml.presentation": "pptx"
        case "vnd.openxmlformats-officedocument.presentationml.slideshow": "ppsx"
        case "vnd.oasis.opendocument.text": "odt"
        case "vnd.oasis.opendocument.spreadsheet": "ods"
        case "vnd.oasis.opendocument.presentation": "odp"
        case "vnd.oasis.opendocument.graphics": "odg"
        case "vnd.apple.pages", "x-iwork-pages-sffpages": "pages"
        case "vnd.apple.numbers", "x-iwork-numbers-sffnumbers": "numbers"
        case "vnd.apple.keynote", "x-iwork-keynote-sffkey": "key"
        case "vnd.visio", "vnd.ms-visio.drawing": "vsd"
        case "vnd.ms-project": "mpp"
        case "vnd.ms-outlook": "msg"
        case "onenote": "one"
        default: nil
        }
    }

    private static func application(_ subtype: String) -> StaticString {
        switch subtype {
        case "pdf", "x-pdf", "acrobat": "pdf"
        case "zip", "x-zip-compressed", "x-zip": "zip"
        case "gzip", "x-gzip": "gz"
        case "x-bzip2": "bz2"
        case "x-xz": "xz"
        case "zstd": "zst"
        case "x-tar": "tar"
        case "x-gtar", "x-compressed-tar": "tgz"
        case "x-7z-compressed": "7z"
        case "vnd.rar", "x-rar-compressed", "x-rar": "rar"
        case "json", "ld+json", "geo+json", "problem+json": "json"
        case "x-ndjson": "ndjson"
        case "xml", "atom+xml", "rss+xml", "soap+xml": "xml"
        case "xhtml+xml": "xhtml"
        case "yaml", "x-yaml": "yaml"
        case "csv": "csv"
        case "rtf", "x-rtf": "rtf"
        case "ics": "ics"
        case "epub+zip": "epub"
        case "postscript": "ps"
        case "illustrator": "ai"
        case "x-tex", "x-latex": "tex"
        case "gpx+xml": "gpx"
        case "vnd.google-earth.kml+xml": "kml"
        case "vnd.google-earth.kmz": "kmz"
        case "vnd.apple.pkpass": "pkpass"
        case "pgp-signature", "pgp-keys", "pgp-encrypted": "asc"
        case "pkcs7-mime", "x-pkcs7-mime": "p7m"
        case "pkcs7-signature", "x-pkcs7-signature": "p7s"
        case "pkcs10", "x-pkcs10": "p10"
        case "pkcs12", "x-pkcs12": "p12"
        case "pkix-cert", "x-x509-ca-cert", "x-x509-user-cert": "crt"
        case "pkix-crl", "x-pkcs7-crl": "crl"
        case "x-pem-file": "pem"
        case "javascript", "x-javascript": "js"
        case "sql", "x-sql": "sql"
        case "x-sh": "sh"
        case "x-sqlite3", "vnd.sqlite3": "sqlite"
        case "wasm": "wasm"
        case "java-archive": "jar"
        case "vnd.android.package-archive": "apk"
        case "x-msdownload", "x-dosexec": "exe"
        case "x-font-ttf": "ttf"
        case "ms-tnef", "vnd.ms-tnef": "dat"
        case "mbox": "mbox"
        default: "bin"
        }
    }
}
