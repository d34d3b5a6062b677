// The end of file names for attachments that have none, by media type (RFC 6838).

/// The usual file name extension of a media type: that of its IANA registration, where it has one.
enum MediaExtension {
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
        case "message":
            return subtype == "rfc822" || subtype == "global" ? "eml" : "txt"
        default: return application(subtype)
        }
    }

    private static func text(_ subtype: String) -> StaticString {
        switch subtype {
        case "html": "html"
        case "calendar": "ics"
        case "csv": "csv"
        case "css": "css"
        case "javascript": "js"
        case "markdown": "md"
        case "rtf", "richtext": "rtf"
        case "vcard", "x-vcard", "directory": "vcf"
        case "xml": "xml"
        case "x-patch", "x-diff": "patch"
        default: "txt"
        }
    }

    private static func image(_ subtype: String) -> StaticString {
        switch subtype {
        case "jpeg", "jpg", "pjpeg": "jpg"
        case "png", "x-png": "png"
        case "gif": "gif"
        case "svg+xml": "svg"
        case "webp": "webp"
        case "avif": "avif"
        case "heic": "heic"
        case "tiff": "tiff"
        case "bmp", "x-ms-bmp": "bmp"
        case "x-icon", "vnd.microsoft.icon": "ico"
        default: "bin"
        }
    }

    private static func timed(_ subtype: String, isAudio: Bool) -> StaticString {
        switch subtype {
        case "mpeg": isAudio ? "mp3" : "mpeg"
        case "mp3": "mp3"
        case "mp4": isAudio ? "m4a" : "mp4"
        case "aac": "aac"
        case "flac", "x-flac": "flac"
        case "wav", "x-wav", "vnd.wave": "wav"
        case "ogg": isAudio ? "ogg" : "ogv"
        case "webm": "webm"
        case "amr": "amr"
        case "quicktime": "mov"
        case "x-msvideo": "avi"
        default: "bin"
        }
    }

    private static func application(_ subtype: String) -> StaticString {
        switch subtype {
        case "pdf", "x-pdf": "pdf"
        case "zip", "x-zip-compressed": "zip"
        case "gzip", "x-gzip": "gz"
        case "x-tar": "tar"
        case "x-7z-compressed": "7z"
        case "vnd.rar", "x-rar-compressed": "rar"
        case "json", "ld+json": "json"
        case "xml": "xml"
        case "rtf": "rtf"
        case "ics": "ics"
        case "msword": "doc"
        case "vnd.ms-excel": "xls"
        case "vnd.ms-powerpoint": "ppt"
        case "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx"
        case "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx"
        case "vnd.openxmlformats-officedocument.presentationml.presentation": "pptx"
        case "vnd.oasis.opendocument.text": "odt"
        case "vnd.oasis.opendocument.spreadsheet": "ods"
        case "vnd.oasis.opendocument.presentation": "odp"
        case "epub+zip": "epub"
        case "postscript": "ps"
        case "pgp-signature", "pgp-keys": "asc"
        case "pkcs7-mime", "x-pkcs7-mime": "p7m"
        case "pkcs7-signature", "x-pkcs7-signature": "p7s"
        case "javascript", "x-javascript": "js"
        case "sql": "sql"
        case "ms-tnef", "vnd.ms-tnef": "dat"
        default: "bin"
        }
    }
}
