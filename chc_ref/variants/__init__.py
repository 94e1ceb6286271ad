"""Protocol variants: small, named changes of rules."""

from chc_ref.variants.form import Variant as Variant, each as each, variant as variant
