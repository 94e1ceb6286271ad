"""Protocol variants: small, named changes of rules."""

from chc_ref.variants.form import Variant as Variant, variant as variant
